"""Whether the joules of an entry may win, and what they cover."""

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.records import Ruleset, RunScore
from harness.records.measure import Method, weakest_method

ENERGY_RULES = "energy-"
"""A failed check whose rule id begins so makes the joules ineligible, and nothing else."""


class EnergyAssessment(NamedTuple):
    """What the joules of an entry are."""

    method: Method | None
    """The weakest method of its runs; None where there are no joules."""
    domains: tuple[str, ...]
    simulated: bool
    uncertainty: float | None
    """Median over the runs of their uncertainty, k = 2, joules."""
    complete: bool
    """Whether every run has joules of the same domains, so that there is a figure."""
    eligible: bool
    note: str
    """Why the joules may not win, or the domains and the method."""


def _missing(runs: Sequence[RunScore]) -> str:
    """Why there is no figure; empty where there is one."""
    if not runs:
        return "no run counts"
    missing = sum(run.energy.energy_j is None for run in runs)
    if missing == len(runs):
        return "no joules were measured"
    if missing:
        return f"no joules in {missing} of {len(runs)} runs"
    if len({run.energy.domains for run in runs}) > 1:
        return "the runs cover different domains, so that their joules cannot be averaged"
    return ""


def _exceeds(run: RunScore, limit: float, *, common: bool) -> bool:
    """Whether the relative uncertainty is above a limit; an unknown one always is."""
    u_j, energy_j = run.energy.u_j if common else run.energy.own_u_j, run.energy.energy_j
    return u_j is None or energy_j is None or u_j / energy_j > limit


def _obstacles(runs: Sequence[RunScore], method: Method, ruleset: Ruleset) -> Iterator[str]:
    """The reasons for which complete joules may not win."""
    rules, limit = ruleset.score, ruleset.measure.uncertainty_ratio_max
    if method not in rules.energy_methods:
        yield f"{method}, not measured: shown, cannot win"
    if any(run.energy.simulated for run in runs) and not rules.simulated:
        yield "simulated by a fake or replayed meter: shown, cannot win"
    if degraded := sum(run.status == "degraded" for run in runs):
        yield f"the measurement is degraded in {degraded} of {len(runs)} runs"
    common = ruleset.measure.common_uncertainty
    uncertain = 0 if limit is None else sum(_exceeds(run, limit, common=common) for run in runs)
    if limit is not None and uncertain:
        where = f"{uncertain} of {len(runs)} runs"
        yield f"uncertainty over {limit:.1%} of the joules, or unknown, in {where}"
    faults = {
        finding.rule: finding.message
        for run in runs
        for finding in run.findings
        if finding.level == "fail"
        and finding.rule.startswith(ENERGY_RULES)
        # The figures carry `simulated` themselves, which is reported above.
        and finding.rule != "energy-simulated"
    }
    yield from (f"{message} ({rule})" for rule, message in sorted(faults.items()))


def assess_energy(runs: Sequence[RunScore], ruleset: Ruleset) -> EnergyAssessment:
    """Judge the joules of the runs that count, under a ruleset."""
    method = weakest_method(run.energy.method for run in runs if run.energy.method)
    simulated = any(run.energy.simulated for run in runs)
    note = _missing(runs)
    if note or method is None:
        return EnergyAssessment(
            method, (), simulated, None, complete=False, eligible=False, note=note
        )
    obstacles = list(_obstacles(runs, method, ruleset))
    domains = runs[0].energy.domains
    known = [run.energy.u_j for run in runs if run.energy.u_j is not None]
    return EnergyAssessment(
        method=method,
        domains=domains,
        simulated=simulated,
        uncertainty=statistics.median(known) if len(known) == len(runs) else None,
        complete=True,
        eligible=not obstacles,
        note="; ".join(obstacles) or f"{', '.join(domains)} by {method}",
    )
