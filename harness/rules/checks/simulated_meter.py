"""Check that the joules come from a real meter."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-simulated`: the joules come from a fake or replayed meter."""
    run, ruleset = evidence.run, evidence.ruleset
    names = [domain.name for domain in run.domains if domain.simulated]
    if names:
        yield Finding(
            rule="energy-simulated",
            level="info" if ruleset.score.simulated else "fail",
            message=f"joules of {', '.join(names)} are simulated",
            advice="run with a real meter; `joulemark doctor` lists those of this machine",
        )


CHECK = check
