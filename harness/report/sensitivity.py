"""Whether a decision would change under other readings of the same runs."""

import statistics
from collections.abc import Callable, Mapping
from math import exp, inf, log
from typing import NamedTuple

from harness.records import Leaderboard, RunScore, Score
from harness.report import numbers

Cost = Callable[[RunScore], float | None]


class Variation(NamedTuple):
    """One other reading and who would be first under it."""

    name: str
    first: str
    """Submission; empty where nobody would have a cost."""
    changes: bool


def _costs(score: Score, cost: Cost) -> list[float]:
    found = [cost(run) for run in score.runs if run.reached]
    return [value for value in found if value is not None and value > 0]


def _first(scores: Mapping[str, Score], middle: Callable[[list[float]], float], cost: Cost) -> str:
    costs = {name: _costs(score, cost) for name, score in scores.items()}
    middles = {name: middle(values) for name, values in costs.items() if values}
    return min(middles, key=lambda name: (middles[name], name), default="")


def geometric_mean(values: list[float]) -> float:
    """The n-th root of the product of positive values."""
    return exp(statistics.fmean(log(value) for value in values))


def mean(values: list[float]) -> float:
    """The arithmetic mean; infinite where the sum is greater than any float."""
    try:
        return statistics.fmean(values)
    except OverflowError:
        return inf


def _without_extreme(values: list[float], *, best: bool) -> float:
    ordered = sorted(values)
    if len(ordered) > 1:
        ordered = ordered[1:] if best else ordered[:-1]
    return geometric_mean(ordered)


def _if_first_read_low(first: str, scores: Mapping[str, Score], cost: Cost) -> str:
    """Who leads if the first one's meter read too little, by its own uncertainty."""

    def raised(run: RunScore) -> float | None:
        value = cost(run)
        return None if value is None else value + (run.energy.u_j or 0.0)

    costs = {
        name: _costs(score, raised if name == first else cost) for name, score in scores.items()
    }
    middles = {name: geometric_mean(values) for name, values in costs.items() if values}
    return min(middles, key=lambda name: (middles[name], name), default="")


def variations(board: Leaderboard, scores: Mapping[str, Score]) -> list[Variation]:
    """Other readings of the ranked entries' runs, each with its first.

    Args:
        board: whose first is in question; it must have one.
        scores: of the ranked entries, by submission as the board calls it.
    """
    if not board.unit:
        return []  # a metric is no cost: its own spread is all that there is to shake
    energy = board.prize == "energy"
    cost: Cost = (lambda run: run.energy.energy_j) if energy else (lambda run: run.time_s)
    window: Cost = (lambda run: run.energy.window_j) if energy else (lambda run: run.window_s)
    first = min(board.standings, key=lambda row: row.rank).entry.submission
    found = [
        ("mean instead of geometric mean", _first(scores, mean, cost)),
        ("median", _first(scores, statistics.median, cost)),
        ("without the best seed of each", _first(scores, _dropped_best, cost)),
        ("without the worst seed of each", _first(scores, _dropped_worst, cost)),
        ("the whole run window", _first(scores, geometric_mean, window)),
    ]
    if energy and any(run.energy.u_j for score in scores.values() for run in score.runs):
        moved = _if_first_read_low(first, scores, cost)
        found.append(("the first one's meter reading low by its uncertainty", moved))
    return [Variation(name, who, bool(who) and who != first) for name, who in found]


def _dropped_best(values: list[float]) -> float:
    return _without_extreme(values, best=True)


def _dropped_worst(values: list[float]) -> float:
    return _without_extreme(values, best=False)


def lead_text(board: Leaderboard) -> str:
    """By how much the second costs more than the first; empty for fewer than two."""
    ordered = sorted(board.standings, key=lambda row: row.rank)
    if not board.unit or len(ordered) < 2 or ordered[0].score <= 0:  # noqa: PLR2004 - a lead is over somebody
        return ""
    return numbers.percent(ordered[1].score / ordered[0].score - 1)
