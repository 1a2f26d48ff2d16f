"""Pareto fronts of seconds and joules: who is on them, and how surely."""

from collections import defaultdict
from collections.abc import Sequence

from harness.prizes._board import widest
from harness.prizes._prize import cost_sample
from harness.records import Front, FrontPoint, Score
from harness.score.costs import time_costs, valid_runs
from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.rank_stability import front, front_chances


def _pairs(score: Score) -> list[tuple[float, float]]:
    """Seconds and joules of each run that counts; nothing where runs failed, whose cost is open."""
    if score.failures:
        return []
    found = [(run.time_s, run.energy.energy_j) for run in valid_runs(score)]
    known = [(t, e) for t, e in found if t is not None and e is not None]
    return known if len(known) == len(found) else []


def _chances(scores: Sequence[Score]) -> list[float | None]:
    """Probability of each entry to lie on the front; None where entries are not comparable."""
    if not all_comparable([cost_sample(score, time_costs) for score in scores]):
        return [None] * len(scores)
    return front_chances([_pairs(score) for score in scores])


def _costs(score: Score) -> tuple[float, float]:
    time, energy = score.costs.time_to_target_s, score.costs.energy_to_target_j
    assert time is not None
    assert energy is not None
    return time.value, energy.value


def _front(scores: Sequence[Score]) -> Front:
    first, costs = scores[0], [_costs(score) for score in scores]
    chances = _chances(scores)
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
                submission=score.entry.submission,
                submission_sha256=score.entry.sha256,
                x=x,
                y=y,
                method=(score.costs.energy_to_target_j and score.costs.energy_to_target_j.method)
                or "",
                on_front=on,
                p_front=chance,
            )
            for score, (x, y), on, chance in zip(scores, costs, front(costs), chances, strict=True)
        ),
    )


def fronts(scores: Sequence[Score]) -> list[Front]:
    """The front of each workload version, machine, ruleset and division, in order.

    Only joules of one boundary share a plane: those that cover most.
    """
    grouped: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for score in scores:
        if (
            score.status == "scored"
            and score.costs.time_to_target_s
            and score.costs.energy_to_target_j
        ):
            place = (score.entry.workload, score.entry.workload_version, score.entry.machine)
            grouped[(*place, score.rules.ruleset, score.entry.division)].append(score)
    found = []
    for _, group in sorted(grouped.items()):
        covers = [
            e.costs.energy_to_target_j.domains if e.costs.energy_to_target_j else () for e in group
        ]
        main = widest(covers)
        mine = [score for score, item in zip(group, covers, strict=True) if item == main]
        found.append(_front(sorted(mine, key=lambda e: (e.entry.submission, e.entry.sha256))))
    return found
