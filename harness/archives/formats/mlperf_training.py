"""MLPerf Training: reads and scores submitters' packages."""

from harness.formats.format import Format, deferred

FORMAT = Format(
    name="mlperf-training",
    title="MLPerf Training packages",
    read=deferred("harness.archives.mlperf.reader", "read"),
    score=deferred("harness.archives.mlperf.scorer", "score"),
)
