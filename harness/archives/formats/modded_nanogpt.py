"""modded-nanogpt: reads and scores logs of speedruns."""

from harness.formats.format import Format, deferred

FORMAT = Format(
    name="modded-nanogpt",
    title="modded-nanogpt's logs",
    read=deferred("harness.archives.nanogpt.reader", "read"),
    score=deferred("harness.archives.nanogpt.scorer", "score"),
)
