"""The energy of one run, over the score window and over the run window."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.bundle import TRACE, Bundle, BundleError
from harness.clock import NS_PER_S
from harness.measure.energy import (
    INTEGRATION_RULES,
    Energy,
    EnergyReader,
    IntervalEnergy,
    Total,
)
from harness.measure.level import measurement_level
from harness.measure.trace import TraceError, parse_trace
from harness.records import Finding, Ruleset, Run, RunEnergy, RunScore

NO_GPU = b'"gpus": []'
"""How a machine without GPUs is written: parsing ten thousand machine records takes seconds."""


class RunJoules(NamedTuple):
    """The energy of a run over its two windows; None where there is no window or no trace."""

    score: IntervalEnergy | None
    """From the start signal to the end of the score window."""
    run: IntervalEnergy | None
    """From the start signal to the death of the last process."""


def read_joules(bundle: Bundle, end_ns: int | None) -> tuple[RunJoules, list[Finding]]:
    """The energy of a run; the trace is read once.

    Args:
        bundle: The sealed run.
        end_ns: End of the score window; None where no snapshot is scored.
    """
    run = bundle.run
    gun_ns, ends = run.window.gun_ns, (end_ns, run.window.end_ns)
    due = gun_ns is not None and run.domains and any(end and end > gun_ns for end in ends)
    text = bundle.trace_text() if due else None
    if text is None or gun_ns is None:
        return RunJoules(None, None), []
    try:
        reader = EnergyReader(parse_trace(text, str(bundle.folder / TRACE)), run.domains)
    except TraceError as error:
        finding = Finding(rule="energy-trace-unreadable", level="fail", message=str(error))
        return RunJoules(None, None), [finding]
    windows = (reader.between(gun_ns, end) if end and end > gun_ns else None for end in ends)
    return RunJoules(*windows), []


def _step_j(total: Total, run: Run, time_s: float, time_step_s: float) -> float:
    """Resolution of the joules: that of the counters, or of the seconds at mean power."""
    added = set(total.domains)
    counters = sum(domain.resolution_j or 0.0 for domain in run.domains if domain.name in added)
    return max(counters, (total.energy_j or 0.0) * time_step_s / time_s)


def run_energy(
    bundle: Bundle, joules: RunJoules, time_s: float | None, time_step_s: float | None
) -> RunEnergy:
    """The record of a run's energy.

    Args:
        bundle: The sealed run.
        joules: Its energy.
        time_s: Cost in seconds.
        time_step_s: Resolution of the cost in seconds.
    """
    window_j = joules.run.total.energy_j if joules.run else None
    if joules.score is None:
        return RunEnergy(window_j=window_j)
    total, domains = joules.score.total, joules.score.domains
    by_domain = {name: part.energy_j for name, part in domains.items() if part.energy_j is not None}
    # A counter that did not move has not measured anything: the joules are unknown, not zero.
    if not (total.energy_j and total.energy_j > 0 and time_s and time_step_s):
        return RunEnergy(by_domain_j=by_domain, window_j=window_j)
    run = bundle.run
    gpus = 0 if NO_GPU in bundle.read("machine.json") else len(bundle.machine.gpus)
    return RunEnergy(
        energy_j=total.energy_j,
        u_j=total.u_j,
        own_u_j=total.own_u_j,
        step_j=_step_j(total, run, time_s, time_step_s),
        method=total.method,
        domains=total.domains,
        simulated=total.simulated,
        level=measurement_level(domains, run.domains, run.findings, gpus),
        by_domain_j=by_domain,
        window_j=window_j,
    )


def energy_findings(joules: RunJoules, run: Run, ruleset: Ruleset) -> Iterator[Finding]:
    """What makes the joules of the score window untrustworthy."""
    if joules.score is None:
        return
    total = joules.score.total
    if not total.energy_j:
        reason = total.reason or "no counter moved"
        yield Finding(rule="energy-missing", level="fail", message=f"no joules: {reason}")
        return
    for name, part in joules.score.domains.items():
        if name in total.domains:
            yield from _coverage_findings(part, run, ruleset)


def _coverage_findings(part: Energy, run: Run, ruleset: Ruleset) -> Iterator[Finding]:
    """Too small a share of the score window has readings, or too long a part has none.

    A counter goes on counting through a gap; power that was not read is lost.
    """
    rules = ruleset.measure
    if part.coverage_ratio < rules.coverage_ratio_min:
        message = f"only {part.coverage_ratio:.1%} of the window has readings of {part.domain}"
        yield Finding(rule="energy-coverage", level="fail", message=message)
    update_s = max(d.update_period_s or 0.0 for d in run.domains if d.name == part.domain)
    period_s = run.sampler.period_s if run.sampler else 0.0
    allowed_s = rules.gap_periods_max * max(period_s, update_s)
    if part.method == "sampled" and (part.gap_max_s or 0.0) > allowed_s > 0:
        message = f"{part.domain} was not read for {part.gap_max_s:.3g} s"
        yield Finding(rule="energy-gap", level="fail", message=message)


# --- other integration rules ----------------------------------------------------------------------


def _by_rule(
    reader: EnergyReader, energy: RunEnergy, rule: str, ends_s: tuple[float, float]
) -> float | None:
    """Total by a rule; a domain that the rule cannot be applied to keeps its energy."""
    values = {name: reader.energy_by_rule(name, *ends_s, rule) for name in energy.domains}
    if all(value is None for value in values.values()):
        return None
    parts = [
        energy.by_domain_j.get(name) if value is None else value for name, value in values.items()
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def energies_by_rule(score: RunScore, results: Path) -> dict[str, float | None]:
    """Energy to the target of one run by each other rule; None where one cannot be applied.

    Args:
        score: The run, as it was scored.
        results: Folder that its bundle's path is relative to.
    """
    unknown: dict[str, float | None] = dict.fromkeys(INTEGRATION_RULES)
    try:
        bundle = Bundle(results / score.bundle, checked=True)
        gun_ns, text = bundle.run.window.gun_ns, bundle.trace_text()
        if text is None or gun_ns is None or score.time_s is None:
            return unknown
        reader = EnergyReader(parse_trace(text, score.bundle), bundle.run.domains)
    except (BundleError, TraceError):
        return unknown
    ends_s = (gun_ns / NS_PER_S, gun_ns / NS_PER_S + score.time_s)
    return {rule: _by_rule(reader, score.energy, rule, ends_s) for rule in INTEGRATION_RULES}
