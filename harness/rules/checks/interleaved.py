"""Check that the runs alternated with those of the reference."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-not-interleaved`: machine drift can explain a difference in joules."""
    run = evidence.run
    if not run.domains or run.interleaved_with or not evidence.ruleset.measure.interleaved:
        return
    yield Finding(
        rule="energy-not-interleaved",
        level="fail",
        message="did not alternate with the reference submission on the same seeds",
        advice="run again with --interleave",
    )


CHECK = check
