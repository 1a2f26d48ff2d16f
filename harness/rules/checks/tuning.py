"""Check that a study of external tuning had at most as many trials as the rules allow."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`tuning-trials`: the run is the best of too many trials."""
    tuning, most = evidence.run.tuning, evidence.ruleset.score.tuning_trials_max
    if tuning is None or most is None or tuning.trials_count <= most:
        return
    yield Finding(
        rule="tuning-trials",
        level="fail",
        message=f"one of {tuning.trials_count} trials; {evidence.ruleset.name} allows {most}",
        advice=f"run again with --trials {most}",
    )


CHECK = check
