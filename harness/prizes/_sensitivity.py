"""Sensitivity checks: whether the leader stays the same when one choice is changed."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from harness.measure.energy import INTEGRATION_RULES
from harness.prizes._prize import Prize
from harness.records import AcrossRules, Score
from harness.records.award import SensitivityCheck
from harness.score.costs import valid_runs
from harness.score.multi.aggregate import (
    AggregationSpec,
    Row,
    cost_matrix,
    leader,
    leaders_without_a_run,
    leaders_without_a_workload,
)
from harness.score.multi.profile import profile_scores
from harness.score.multi.record import WORKLOADS_MIN, RankedTable
from harness.score.multi.table import tables
from harness.score.run.energy import energies_by_rule
from harness.score.stats.rank_stability import by_other_means
from harness.score.stats.sample import Sample, mean_log

CASES_SHOWN = 5
"""Cases that a note names."""

ONE_WORKLOAD = AggregationSpec((0.0,), aggregate="geometric_mean")
"""Ranks by the mean logarithm of the only cost."""


def _check(
    variation: str, names: Sequence[str], cases: Iterable[tuple[str, int]]
) -> SensitivityCheck:
    """A check by the cases in which another entry leads: what is changed, and who leads then."""
    changes = list(cases)
    shown = ", ".join(case for case, _ in changes[:CASES_SHOWN])
    more = f" and {len(changes) - CASES_SHOWN} more" if len(changes) > CASES_SHOWN else ""
    return SensitivityCheck(
        variation=variation,
        holds=not changes,
        leader=names[changes[0][1]] if changes else names[0],
        note=f"{shown}{more}",
    )


def _by_value(
    variation: str, names: Sequence[str], values: Sequence[float], note: str = ""
) -> SensitivityCheck:
    """A check by the values that rank instead, lower is better."""
    first = values.index(min(values))
    return SensitivityCheck(variation=variation, holds=first == 0, leader=names[first], note=note)


def _unknown(variation: str, names: Sequence[str], note: str) -> SensitivityCheck:
    return SensitivityCheck(variation=variation, holds=None, leader=names[0], note=note)


def _without_a_run(
    names: Sequence[str], rows: Sequence[Row], spec: AggregationSpec, workloads: Sequence[str] = ()
) -> SensitivityCheck:
    cases = []
    for at, column, seed, now in leaders_without_a_run(rows, spec):
        where = f" on {workloads[column]}" if workloads else ""
        cases.append((f"without seed {seed} of {names[at]}{where}", now))
    return _check("any one run left out", names, cases)


# --- one workload ---------------------------------------------------------------------------------


def _without_extreme(sample: Sample, end: Literal["best", "worst"]) -> float:
    """Mean of the values without the best or the worst one; of the only one, that one."""
    ordered = sorted(sample.logs.values())
    rest = ordered[1:] if end == "best" else ordered[:-1]
    return statistics.fmean(rest or ordered)


def _meter_checks(names: Sequence[str], scores: Sequence[Score]) -> Iterator[SensitivityCheck]:
    """The meter of the leader reads too low, and also those of all others too high."""
    alone = "the leader's meter reads low by its uncertainty"
    against = "meters off by their uncertainty, each against the leader"
    figures = [score.costs.energy_to_target_j for score in scores]
    known = [(f.value, f.uncertainty) for f in figures if f and f.uncertainty is not None]
    if len(known) < len(figures):
        for variation in (alone, against):
            yield _unknown(variation, names, "the uncertainty of a meter is unknown")
        return
    first = known[0][0] + known[0][1]
    yield _by_value(alone, names, [first, *(value for value, _ in known[1:])])
    error = math.sqrt(known[1][0] / known[0][0]) - 1
    note = f"opposite errors of {error:.2%} would exchange the first two"
    yield _by_value(against, names, [first, *(value - u for value, u in known[1:])], note)


def _idle_check(names: Sequence[str], scores: Sequence[Score]) -> Iterator[SensitivityCheck]:
    """Idle power counts here; another entry may lead if some of it is subtracted."""
    costs = [(score.costs.energy_to_target_j, score.costs.time_to_target_s) for score in scores]
    known = [(energy.value, time.value) for energy, time in costs if energy and time]
    if len(known) < len(costs):
        return
    energy, time = known[0]
    changes = [((e - energy) / (t - time), at) for at, (e, t) in enumerate(known) if t > time]
    watts, at = min(changes, default=(math.inf, 0))
    changed = watts < min(e / t for e, t in known)
    yield _check(
        "idle power subtracted, whatever it is", names,
        [(f"from {watts:.3g} W on", at)] if changed else [],
    )  # fmt: skip


def _integration_checks(
    names: Sequence[str], scores: Sequence[Score], samples: Sequence[Sample], results: Path
) -> Iterator[SensitivityCheck]:
    """Other ways to integrate the same readings, recomputed from the traces."""
    runs = [[energies_by_rule(run, results) for run in valid_runs(score)] for score in scores]
    applied = False
    for rule in INTEGRATION_RULES:
        values = [[run[rule] for run in row] for row in runs]
        logs = [[math.log(value) for value in row if value and value > 0] for row in values]
        if any(len(known) < len(row) for known, row in zip(logs, values, strict=True)):
            continue
        applied = True
        means = [statistics.fmean(row) for row in logs]
        shift = max(abs(a - mean_log(b)) for a, b in zip(means, samples, strict=True))
        note = f"changes a cost by at most {math.expm1(shift):.2%}"
        yield _by_value(f"another integration rule: {rule}", names, means, note)
    if not applied:
        note = "the traces do not allow one for every run"
        yield _unknown("another integration rule", names, note)


def board_checks(
    scores: Sequence[Score], names: Sequence[str], prize: Prize, results: Path | None
) -> list[SensitivityCheck]:
    """Check the lead on one workload; nothing where fewer than two entries have a place.

    Args:
        scores: The entries with a place, best first.
        names: Their names.
        prize: What is awarded.
        results: Folder of the bundles, for checks that read traces; None leaves them out.
    """
    if len(scores) < WORKLOADS_MIN:
        return []
    samples = [prize.sample(score) for score in scores]
    checks = [_without_a_run(names, [[sample] for sample in samples], ONE_WORKLOAD)]
    for end in ("best", "worst"):
        values = [_without_extreme(sample, end) for sample in samples]
        checks.append(_by_value(f"the {end} run of each entry left out", names, values))
    if not prize.unit:
        return checks
    means = [(f"with {change.without}", change.leader) for change in by_other_means(samples)]
    checks.append(_check("another mean than the geometric one", names, means))
    if prize.unit == "J":
        checks += [*_meter_checks(names, scores), *_idle_check(names, scores)]
        if results is not None:
            checks += _integration_checks(names, scores, samples, results)
    return checks


# --- several workloads ----------------------------------------------------------------------------


def _other_rules(
    ranked: RankedTable, variation: str, rules: AcrossRules, scores: Sequence[Score]
) -> Iterator[SensitivityCheck]:
    """Rank under other rules; nothing where these leave fewer than two places or workloads."""
    for table in tables(scores, rules):
        if table.key == ranked.table.key and len(table.workloads) >= WORKLOADS_MIN:
            names = RankedTable(table, ranked.alpha).names
            if len(names) >= WORKLOADS_MIN:
                holds = names[0] == ranked.names[0]
                yield SensitivityCheck(variation=variation, holds=holds, leader=names[0])


def multi_checks(ranked: RankedTable, scores: Sequence[Score]) -> list[SensitivityCheck]:
    """Check the lead over several workloads; nothing where fewer than two have a place.

    Args:
        ranked: The ranking.
        scores: Scores of the machine, to rank again under other rules.
    """
    names, rows, spec, rules = ranked.names, ranked.rows, ranked.spec, ranked.table.rules
    if len(rows) < WORKLOADS_MIN:
        return []
    checks, workloads = [], ranked.table.workloads
    if len(workloads) >= WORKLOADS_MIN:
        leaders = leaders_without_a_workload(rows, spec)
        cases = [(f"without {workloads[at]}", now) for at, now in enumerate(leaders) if now]
        checks.append(_check("any one workload left out", names, cases))
    checks.append(_without_a_run(names, rows, spec, workloads))
    heights = profile_scores(cost_matrix(rows), spec.ratio_max)
    variation = "profiles against the lowest costs present, as in AlgoPerf"
    checks.append(_by_value(variation, names, [-float(height) for height in heights]))
    profile = spec.aggregate == "profile"
    variation = "the geometric mean of the ratios" if profile else "profiles against the reference"
    other = spec._replace(aggregate="geometric_mean" if profile else "profile")
    now = leader(rows, other)
    checks.append(SensitivityCheck(variation=variation, holds=now == 0, leader=names[now]))
    for quantity, word in (
        ("time_to_target_s", "seconds"),
        ("energy_to_target_j", "joules"),
    ):
        if quantity != rules.quantity:
            changed = rules.model_copy(update={"quantity": quantity})
            checks += _other_rules(ranked, f"by {word}", changed, scores)
    if any(score.trials for score in scores):
        changed = rules.model_copy(update={"tuning_included": not rules.tuning_included})
        how = "without" if rules.tuning_included else "with"
        checks += _other_rules(ranked, f"{how} the cost of tuning", changed, scores)
    return checks
