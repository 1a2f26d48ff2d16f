"""Check that the run was made by a person whom the ruleset trusts."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`provenance`: the ruleset does not rank runs by this kind of person."""
    run, ruleset = evidence.run, evidence.ruleset
    allowed = ruleset.score.provenance
    if run.provenance not in allowed:
        yield Finding(
            rule="provenance",
            level="fail",
            message=f"run by {run.provenance}; {ruleset.name} requires {' or '.join(allowed)}",
            advice="let a witness or the organizer run it again",
        )


CHECK = check
