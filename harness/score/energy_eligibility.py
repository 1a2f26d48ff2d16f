"""Whether the joules of a group may win, and what they cover: the part of a score about energy."""

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.records import Ruleset, RunScore
from harness.records.measure import Method, weakest_method

ENERGY_RULES = "energy-"
"""Rule ids that begin so take joules out of a prize, and nothing else."""


class EnergyAssessment(NamedTuple):
    """What the joules of a group are."""

    method: Method | None
    """The weakest of its runs; None where there are no joules."""
    domains: tuple[str, ...]
    simulated: bool
    uncertainty: float | None
    """Median over the runs of their uncertainty, k = 2, joules."""
    complete: bool
    """Whether every run has joules of the same domains, so that there is a figure."""
    eligible: bool
    note: str
    """Why it may not win, or what was measured by which method."""


def _median_u_j(runs: Sequence[RunScore]) -> float | None:
    known = [run.energy.u_j for run in runs if run.energy.u_j is not None]
    return statistics.median(known) if known and len(known) == len(runs) else None


def _over_limit(run: RunScore, limit: float) -> bool:
    """Unknown uncertainty is over every limit."""
    return (
        run.energy.u_j is None
        or run.energy.energy_j is None
        or run.energy.u_j / run.energy.energy_j > limit
    )


def _some(count: int, of: int) -> str:
    return f"{count} of {of} runs"


def _obstacles(runs: Sequence[RunScore], method: Method, ruleset: Ruleset) -> Iterator[str]:
    """Each reason for which complete joules may not win."""
    rules, limit = ruleset.score, ruleset.measure.uncertainty_ratio_max
    if method not in rules.energy_methods:
        yield f"{method}, not measured: shown, cannot win"
    if any(run.energy.simulated for run in runs) and not rules.simulated:
        yield "simulated by a fake or replayed meter: shown, cannot win"
    degraded = sum(run.status == "degraded" for run in runs)
    if degraded:
        yield f"the measurement is degraded in {_some(degraded, len(runs))}"
    vague = sum(_over_limit(run, limit) for run in runs) if limit is not None else 0
    if vague:
        where = _some(vague, len(runs))
        yield f"uncertainty over {limit:.1%} of the joules, or unknown, in {where}"
    faults = {
        finding.rule: finding.message
        for run in runs
        for finding in run.findings
        if finding.level == "fail"
        and finding.rule.startswith(ENERGY_RULES)
        # Said above already, by what the figures themselves carry.
        and finding.rule != "energy-simulated"
    }
    yield from (f"{message} ({rule})" for rule, message in sorted(faults.items()))


def _incomplete(runs: Sequence[RunScore]) -> str:
    """Why there is no figure; empty where there is one."""
    if not runs:
        return "no run counts"
    lacking = sum(run.energy.energy_j is None for run in runs)
    if lacking == len(runs):
        return "no joules were measured"
    if lacking:
        return f"no joules in {_some(lacking, len(runs))}"
    if len({run.energy.domains for run in runs}) > 1:
        return "the runs cover different domains, so that their joules cannot be averaged"
    return ""


def assess_energy(runs: Sequence[RunScore], ruleset: Ruleset) -> EnergyAssessment:
    """Judge the joules of the runs that count, under a ruleset."""
    method = weakest_method(run.energy.method for run in runs if run.energy.method)
    simulated = any(run.energy.simulated for run in runs)
    note = _incomplete(runs)
    if note or method is None:
        return EnergyAssessment(
            method, (), simulated, None, complete=False, eligible=False, note=note
        )
    obstacles = list(_obstacles(runs, method, ruleset))
    domains = runs[0].energy.domains
    return EnergyAssessment(
        method=method,
        domains=domains,
        simulated=simulated,
        uncertainty=_median_u_j(runs),
        complete=True,
        eligible=not obstacles,
        note="; ".join(obstacles) or f"{', '.join(domains)} by {method}",
    )
