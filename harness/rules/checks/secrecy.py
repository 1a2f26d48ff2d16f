"""Check that the workload's data could not be known before the run."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`workload-secrecy`: the ruleset does not rank workloads with this secrecy."""
    run, ruleset = evidence.run, evidence.ruleset
    allowed = ruleset.score.secrecy
    if run.workload.secrecy not in allowed:
        yield Finding(
            rule="workload-secrecy",
            level="fail",
            message=f"the data of {run.workload.name} are {run.workload.secrecy}; {ruleset.name} "
            f"requires {' or '.join(allowed)}",
            advice="use a workload whose instance is drawn for each run, or an organizer's folder",
        )


CHECK = check
