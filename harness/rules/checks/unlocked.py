"""Check that no power sensor can have sampled the same moment of every training step."""

from collections.abc import Iterator

from harness.records import Domain, Finding, Run
from harness.rules.evidence import Evidence

LOGS_COUNT = 4
"""Number of logged steps from which the duration of a step can be computed."""


def _may_miss(domain: Domain) -> bool:
    """Whether a sensor may average over only a part of the time between its updates."""
    if domain.method != "sampled":
        return False
    period_s, window_s = domain.update_period_s, domain.averaging_window_s
    return period_s is None or window_s is None or window_s < period_s


def _steps_known(run: Run) -> bool:
    steps = sum(snapshot.step is not None for snapshot in run.snapshots)
    return steps + (run.claimed.messages if run.claimed else 0) >= LOGS_COUNT


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-sampling-locked`: a sensor did; `energy-sampling-unknown`: this is not known."""
    run = evidence.run
    if not evidence.ruleset.measure.unlocked:
        return
    advice = "read an energy counter, or log the number of the step a few times"
    for finding in run.findings:
        if finding.rule == "sampling-locked":
            yield Finding(
                rule="energy-sampling-locked", level="fail", message=finding.message, advice=advice
            )
    partial = [domain.name for domain in run.domains if _may_miss(domain)]
    if partial and not _steps_known(run):
        message = f"the duration of a step is unknown, so {', '.join(partial)} may be in lockstep"
        yield Finding(rule="energy-sampling-unknown", level="fail", message=message, advice=advice)


CHECK = check
