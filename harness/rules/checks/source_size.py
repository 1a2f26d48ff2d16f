"""Check that the source is too small to hold weights that were trained before the run."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`source-compressed`: the source after xz is larger than allowed, or its size is unknown."""
    submission = evidence.run.submission
    limit, size = evidence.ruleset.score.compressed_source_bytes_max, submission.compressed_bytes
    if limit is None or (size is not None and size <= limit):
        return
    known = "has an unknown number of bytes" if size is None else f"has {size} bytes"
    yield Finding(
        rule="source-compressed",
        level="fail",
        message=f"the source {known} after xz; {evidence.ruleset.name} allows {limit}",
        advice="leave out what is not code; stored values count, however they are spelt",
    )


CHECK = check
