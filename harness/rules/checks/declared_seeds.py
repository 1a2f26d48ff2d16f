"""Check that the harness drew the seeds."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`declared-seeds`: a person chose the seed and may have tried others before."""
    run, ruleset = evidence.run, evidence.ruleset
    if run.seeds.source != "declared":
        return
    is_allowed = ruleset.score.declared_seeds
    yield Finding(
        rule="declared-seeds",
        level="info" if is_allowed else "fail",
        message="the seed was chosen by a person, not drawn by the harness",
        advice="" if is_allowed else "run again without --seed",
    )


CHECK = check
