"""MLPerf Training: reads and scores submitters' packages."""

from harness.archives.mlperf.reader import read
from harness.archives.mlperf.scorer import score
from harness.formats.format import Format

FORMAT = Format(name="mlperf-training", title="MLPerf Training packages", read=read, score=score)
