"""AlgoPerf: reads, scores and writes its trees of logs."""

from harness.formats.format import Format, deferred

FORMAT = Format(
    name="algoperf",
    title="AlgoPerf log trees",
    read=deferred("harness.archives.algoperf.reader", "read"),
    score=deferred("harness.archives.algoperf.scorer", "score"),
    write=deferred("harness.archives.algoperf.writer", "write"),
)
