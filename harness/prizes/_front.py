"""Pareto fronts of seconds and joules, with the probability of each entry to be on them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from harness.prizes._board import widest
from harness.prizes._prize import cost_sample
from harness.records import Figure, Front, FrontPoint, Score
from harness.score.costs import time_costs, valid_runs
from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.rank_stability import front, front_chances


class _Point(NamedTuple):
    score: Score
    time: Figure
    energy: Figure


def _pairs(score: Score) -> list[tuple[float, float]]:
    """Seconds and joules of each run; nothing where runs failed, whose cost has no upper end."""
    if score.failures:
        return []
    runs = [(run.time_s, run.energy.energy_j) for run in valid_runs(score)]
    known = [(t, e) for t, e in runs if t is not None and e is not None]
    return known if len(known) == len(runs) else []


def _chances(scores: Sequence[Score]) -> list[float | None]:
    """Probability of each entry to be on the front; None where entries are not comparable."""
    if not all_comparable([cost_sample(score, time_costs) for score in scores]):
        return [None] * len(scores)
    return front_chances([_pairs(score) for score in scores])


def _front(points: Sequence[_Point]) -> Front:
    first = points[0].score
    costs = [(point.time.value, point.energy.value) for point in points]
    chances = _chances([point.score for point in points])
    return Front(
        workload=first.entry.workload,
        workload_version=first.entry.workload_version,
        machine=first.entry.machine,
        ruleset=first.rules.ruleset,
        division=first.entry.division,
        x_quantity="time_to_target_s",
        y_quantity="energy_to_target_j",
        points=tuple(
            FrontPoint(
                submission=point.score.entry.submission,
                submission_sha256=point.score.entry.sha256,
                x=point.time.value,
                y=point.energy.value,
                method=point.energy.method or "",
                on_front=on,
                p_front=chance,
            )
            for point, on, chance in zip(points, front(costs), chances, strict=True)
        ),
    )


def fronts(scores: Sequence[Score]) -> list[Front]:
    """Find the front of each workload version, machine, ruleset and division, in order.

    Only entries whose joules cover the same domains are compared: those that cover most.
    """
    grouped: dict[tuple[str, ...], list[_Point]] = defaultdict(list)
    for score in scores:
        entry, costs = score.entry, score.costs
        if score.status == "scored" and costs.time_to_target_s and costs.energy_to_target_j:
            key = (entry.workload, entry.workload_version, entry.machine)
            grouped[(*key, score.rules.ruleset, entry.division)].append(
                _Point(score, costs.time_to_target_s, costs.energy_to_target_j)
            )
    planes = []
    for _, group in sorted(grouped.items()):
        domains = widest([point.energy.domains for point in group])
        members = [point for point in group if point.energy.domains == domains]
        members.sort(key=lambda point: (point.score.entry.submission, point.score.entry.sha256))
        planes.append(_front(members))
    return planes
