"""AlgoPerf: reads, scores and writes its trees of logs."""

from harness.archives.algoperf.reader import read
from harness.archives.algoperf.scorer import score
from harness.archives.algoperf.writer import write
from harness.formats.format import Format

FORMAT = Format(name="algoperf", title="AlgoPerf log trees", read=read, score=score, write=write)
