"""Whether those ran it whom the ruleset trusts."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`provenance`: run by somebody whose runs may not rank."""
    run, ruleset = evidence.run, evidence.ruleset
    allowed = ruleset.score.provenance
    if run.provenance not in allowed:
        yield Finding(
            rule="provenance",
            level="fail",
            message=f"run by {run.provenance}; {ruleset.name} asks for {' or '.join(allowed)}",
            advice="have it run again by a witness or the organizer",
        )


CHECK = check
