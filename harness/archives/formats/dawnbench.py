"""DAWNBench: reads, scores and writes its entries."""

from harness.formats.format import Format, deferred

FORMAT = Format(
    name="dawnbench",
    title="DAWNBench entries",
    read=deferred("harness.archives.dawnbench.reader", "read"),
    score=deferred("harness.archives.dawnbench.scorer", "score"),
    write=deferred("harness.archives.dawnbench.writer", "write"),
)
