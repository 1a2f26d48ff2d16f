"""Whether a power sensor may have looked at the same moment of every training step."""

from collections.abc import Iterator

from harness.records import Domain, Finding, Run
from harness.rules.evidence import Evidence

LOGS_COUNT = 4
"""Steps that must have been logged before anybody can tell how long one takes."""


def _blind(domain: Domain) -> bool:
    """Whether it sees less than all of the time between its updates, as far as is known."""
    if domain.method != "sampled":
        return False
    period_s, window_s = domain.update_period_s, domain.averaging_window_s
    return period_s is None or window_s is None or window_s < period_s


def _steps_known(run: Run) -> bool:
    told = sum(snapshot.step is not None for snapshot in run.snapshots)
    return told + (run.claimed.messages if run.claimed else 0) >= LOGS_COUNT


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-sampling-locked`: it did; `energy-sampling-unknown`: nobody can tell."""
    run = evidence.run
    if not evidence.ruleset.measure.unlocked:
        return
    advice = "read an energy counter, or log the number of the step a few times"
    for found in run.findings:
        if found.rule == "sampling-locked":
            yield Finding(
                rule="energy-sampling-locked", level="fail", message=found.message, advice=advice
            )
    blind = [domain.name for domain in run.domains if _blind(domain)]
    if blind and not _steps_known(run):
        message = f"how long a step took is unknown, so {', '.join(blind)} may be in lockstep"
        yield Finding(rule="energy-sampling-unknown", level="fail", message=message, advice=advice)


CHECK = check
