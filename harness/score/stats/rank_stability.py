"""How stable a ranking is: chances of rank 1 and of the Pareto front, and leaders without a run.

Draws come from a generator with a fixed seed, so that the same costs give the same figures. They
are of the mean logarithm under Student's t (the posterior of a normal mean and variance under the
reference prior; Box and Tiao, Bayesian Inference in Statistical Analysis, 1973, section 2.4), since
the plain bootstrap is too narrow at three to ten runs.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.sample import (
    SD_MIN,
    Sample,
    mean_log,
    normalized_to_reference,
    variance_of_mean,
)

Draws = npt.NDArray[np.float64]

DRAWS = 4000
SEED = 20260101


class RankChance(NamedTuple):
    """The rank of an entry when the costs of all entries are redrawn."""

    first: float
    """Probability of rank 1."""
    rank_low: int
    """Lower end of the interval of its rank."""
    rank_high: int


def in_one_unit(samples: Sequence[Sample]) -> list[Sample]:
    """The samples on the scale of their tests.

    Where all entries that have them are divided by the same reference, the ratios are multiplied by
    the mean cost of that reference, so that they compare with the costs of the reference itself.
    """
    ratios = [normalized_to_reference(sample) for sample in samples]
    references: dict[str, dict[int, float]] = {}
    for sample, ratio in zip(samples, ratios, strict=True):
        if ratio and sample.reference_ratios:
            costs = references.setdefault(sample.reference_ratios.sha256, {})
            costs |= {seed: log - ratio.logs[seed] for seed, log in sample.logs.items()}
    if len(references) != 1:
        return list(samples)
    mean = statistics.fmean(next(iter(references.values())).values())
    return [
        ratio._replace(logs={seed: log + mean for seed, log in ratio.logs.items()})
        if ratio
        else sample
        for sample, ratio in zip(samples, ratios, strict=True)
    ]


def mean_draws(sample: Sample, rng: np.random.Generator, draws: int) -> Draws | None:
    """Draws of an entry's mean logarithm; None for a single run, which shows no spread."""
    variance = variance_of_mean(sample)
    if variance is None:
        return None
    return mean_log(sample) + rng.standard_t(len(sample.logs) - 1, draws) * math.sqrt(variance)


@lru_cache(maxsize=4)
def _standard_draws(counts: tuple[int, ...], draws: int) -> Draws:
    """Draws of Student's t with n - 1 degrees of freedom for each entry, (entries, draws).

    Boards whose entries have the same numbers of runs share them.
    """
    rng = np.random.default_rng(SEED)
    return np.stack([rng.standard_t(n - 1, draws) for n in counts])


def rank_chances(
    samples: Sequence[Sample], level: float = 0.95, draws: int = DRAWS
) -> list[RankChance | None]:
    """Probability of rank 1 and interval of the rank, for each entry.

    Args:
        samples: Costs of the entries, in any order.
        level: Of the rank intervals.
        draws: Number of redrawn boards.

    Returns:
        One for each entry, in the order given; None for all where entries are not comparable, or
        one has a single run or failed ones, so that its cost has no known spread.
    """
    scaled, count = in_one_unit(samples), len(samples)
    usable = all(not sample.open_ended and len(sample.logs) > 1 for sample in scaled)
    if not samples or not usable or not all_comparable(samples):
        return [None] * count
    means = np.array([mean_log(sample) for sample in scaled])
    errors = np.sqrt([variance_of_mean(sample) or 0.0 for sample in scaled])
    standard = _standard_draws(tuple(len(sample.logs) for sample in scaled), draws)
    drawn = standard * errors[:, None] + means[:, None]
    # A row for each draw: its entries are adjacent in memory while they are sorted.
    order = np.argsort(np.ascontiguousarray(drawn.T), axis=1)
    flat = (order * count + np.arange(count)).ravel()
    by_rank = np.bincount(flat, minlength=count**2).reshape(count, count)
    ends = np.quantile(np.arange(draws), [(1 - level) / 2, (1 + level) / 2], method="nearest")
    lows, highs = ((by_rank.cumsum(axis=1) <= end).sum(axis=1) + 1 for end in ends)
    return [
        RankChance(float(p), int(low), int(high))
        for p, low, high in zip(by_rank[:, 0] / draws, lows, highs, strict=True)
    ]


# --- the front of two costs -----------------------------------------------------------------------


@lru_cache(maxsize=2)
def _standard_pairs(counts: tuple[int, ...], draws: int) -> tuple[Draws, Draws]:
    """For each entry two standard normals, and the factor that makes a t of n - 1 degrees of them.

    Shapes (entries, draws, 2) and (entries, draws).
    """
    rng = np.random.default_rng(SEED)
    drawn = [(rng.standard_normal((draws, 2)), rng.chisquare(n - 1, draws)) for n in counts]
    scales = [np.sqrt((n - 1) / chi2) for n, (_, chi2) in zip(counts, drawn, strict=True)]
    return np.stack([normal for normal, _ in drawn]), np.stack(scales)


def _pair_draws(costs: Sequence[tuple[float, float]], standard: Draws, scale: Draws) -> Draws:
    """Joint draws of the two mean logarithms, shape (draws, 2): multivariate t.

    The covariance is applied by its eigenvectors, as in numpy's `multivariate_normal`
    (`method="eigh"`).
    """
    logs = np.log(np.asarray(costs, dtype=float))
    covariance = np.cov(logs, rowvar=False) + np.eye(2) * SD_MIN**2
    variances, axes = np.linalg.eigh(covariance / len(logs))
    normal = standard @ (axes * np.sqrt(np.abs(variances))).T
    drawn: Draws = logs.mean(axis=0) + normal * scale[:, None]
    return drawn


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points are on the Pareto front: no other point is lower in one cost and not higher."""
    return [
        not any(other[0] <= one[0] and other[1] <= one[1] and other != one for other in points)
        for one in points
    ]


def front_chances(
    costs: Sequence[Sequence[tuple[float, float]]], draws: int = DRAWS
) -> list[float | None]:
    """Probability of each entry to lie on the Pareto front of two costs, as seconds and joules.

    The two costs of a run are drawn together, since they are correlated.

    Args:
        costs: For each entry the pairs of its runs, positive.
        draws: Number of redrawn planes.

    Returns:
        One for each entry; None for all where one has a single run.
    """
    if not costs or min(map(len, costs)) <= 1:
        return [None] * len(costs)
    standard = zip(*_standard_pairs(tuple(map(len, costs)), draws), strict=True)
    drawn = np.stack([_pair_draws(c, *pair) for c, pair in zip(costs, standard, strict=True)])
    first, second = np.ascontiguousarray(drawn.transpose(2, 1, 0))
    # In the order of the first cost, a point is beaten by an earlier one that is lower in the
    # second. Draws are continuous, so that ties need no rule.
    order = np.argsort(first, axis=1)
    ordered = np.take_along_axis(second, order, axis=1)
    on_front = np.ones(ordered.shape, dtype=bool)
    on_front[:, 1:] = ordered[:, 1:] <= np.minimum.accumulate(ordered, axis=1)[:, :-1]
    chances = np.bincount(order[on_front], minlength=len(costs)) / draws
    return [float(chance) for chance in chances]


# --- leaders when one choice is changed -----------------------------------------------------------


class LeaderChange(NamedTuple):
    """A change of one choice that makes another entry lead."""

    without: str
    """What was left out or chosen otherwise."""
    leader: int
    """Index of the entry that leads then."""


def _olympic(values: Sequence[float]) -> float:
    """Mean without the best and the worst, as in MLPerf Training; of all under four."""
    ordered = sorted(values)
    return statistics.fmean(ordered[1:-1] if ordered[3:] else ordered)


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "the arithmetic mean": statistics.fmean,
    "the median": statistics.median,
    "the olympic mean": _olympic,
    "the best run": min,
    "the worst run": max,
}
"""Other ways to make one cost of several runs; they take costs, not logarithms."""


def leader(logs: Sequence[Mapping[int, float]]) -> int:
    """Index of the entry with the lowest mean logarithm; the first of equal ones."""
    means = [statistics.fmean(log.values()) for log in logs]
    return means.index(min(means))


def by_other_means(samples: Sequence[Sample]) -> list[LeaderChange]:
    """Aggregates under which another entry leads than under the geometric mean."""
    if not samples:
        return []
    costs = [[math.exp(log) for log in sample.logs.values()] for sample in samples]
    leaders = {
        name: min(range(len(costs)), key=lambda i, mean=mean: mean(costs[i]))  # type: ignore[misc]
        for name, mean in AGGREGATES.items()
    }
    usual = leader([sample.logs for sample in samples])
    return [LeaderChange(name, now) for name, now in leaders.items() if now != usual]
