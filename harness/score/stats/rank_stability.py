"""How firm an order is: chances of rank 1 and of the Pareto front, and who leads without a run.

Draws come from a generator with a fixed seed, so that the same costs give the same figures. They
are of the mean logarithm under Student's t (the posterior of a normal mean and variance under the
reference prior; Box and Tiao, Bayesian Inference in Statistical Analysis, 1973, section 2.4), since
the plain bootstrap is too narrow at three to ten runs.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.sample import (
    SD_MIN,
    Sample,
    floored_sd,
    mean_log,
    normalized_to_reference,
)

Draws = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]

DRAWS = 4000
SEED = 20260101

KEPT_DRAWS = 1 << 20
"""So many draws of a board, 8 MiB, are kept for the next board of like entries."""


class RankChance(NamedTuple):
    """What redrawing the costs of all entries says of one of them."""

    first: float
    """Chance of rank 1."""
    rank_low: int
    """Lower end of the interval of its rank."""
    rank_high: int


class LeaderChange(NamedTuple):
    """An order that came out differently."""

    without: str
    """What was left out, or done otherwise."""
    leader: int
    """Index of the entry that leads then."""


def mean_draws(sample: Sample, rng: "np.random.Generator", draws: int) -> "Draws | None":
    """Draws of an entry's mean logarithm; None where one run tells no spread."""
    sd = floored_sd(list(sample.logs.values()), max(sample.sd_floor, SD_MIN))
    if sd is None:
        return None
    n = len(sample.logs)
    return mean_log(sample) + rng.standard_t(n - 1, draws) * sd / math.sqrt(n)


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


def rank_chances(
    samples: Sequence[Sample], level: float = 0.95, draws: int = DRAWS
) -> list[RankChance | None]:
    """Chance of rank 1 and interval of the rank, for each entry.

    Entries of different hours are moved by what the hour may explain, unless each alternated with
    the reference.

    Args:
        samples: Costs of the entries, in any order; ties in a draw are broken at random.
        level: Of the rank intervals.
        draws: Number of redrawn boards.

    Returns:
        One for each entry, in the order given; None for all where one has a single run or failed
        ones, since nobody knows what its cost may be.
    """
    scaled = in_one_unit(samples)
    usable = all(not sample.open_ended and len(sample.logs) > 1 for sample in scaled)
    if not samples or not usable or not all_comparable(samples):
        return [None] * len(samples)
    # A row for each draw, whose entries lie side by side in memory as they are put in order.
    order = np.argsort(np.ascontiguousarray(_board_draws(scaled, draws).T), axis=1)
    held = np.bincount((order * len(samples) + np.arange(len(samples))).ravel(),
                       minlength=len(samples) ** 2)  # fmt: skip
    return _chances(held.reshape(len(samples), -1), level, draws)


def _chances(held: "Counts", level: float, draws: int) -> list[RankChance | None]:
    """From the number of draws in which each entry held each rank, shape (entries, ranks)."""
    ends = np.quantile(np.arange(draws), [(1 - level) / 2, (1 + level) / 2], method="nearest")
    upto = held.cumsum(axis=1)
    lows, highs = ((upto <= end).sum(axis=1) + 1 for end in ends)
    return [
        RankChance(float(p), int(low), int(high))
        for p, low, high in zip(held[:, 0] / draws, lows, highs, strict=True)
    ]


def _board_draws(samples: Sequence[Sample], draws: int) -> "Draws":
    """Draws of the mean logarithm of each entry, (entries, draws): those of `mean_draws`."""
    counts = [len(sample.logs) for sample in samples]
    spreads = [floored_sd(list(e.logs.values()), max(e.sd_floor, SD_MIN)) or 0.0 for e in samples]
    roots = np.array([math.sqrt(count) for count in counts])
    means = np.array([mean_log(sample) for sample in samples])
    standard = _kept(_standard_draws, counts, draws)
    drawn: Draws = standard * np.array(spreads)[:, None] / roots[:, None] + means[:, None]
    return drawn


def _kept(draw: Callable[[tuple[int, ...], int], Any], counts: Sequence[int], draws: int) -> Any:
    """What is drawn for so many runs of each entry: boards of like entries share it."""
    small = len(counts) * draws <= KEPT_DRAWS
    return (draw if small else draw.__wrapped__)(tuple(counts), draws)  # type: ignore[attr-defined]


@lru_cache(maxsize=4)
def _standard_draws(counts: tuple[int, ...], draws: int) -> "Draws":
    """Draws of Student's t with n - 1 degrees of freedom for each entry, (entries, draws)."""
    rng = np.random.default_rng(SEED)
    return np.stack([rng.standard_t(n - 1, draws) for n in counts])


# --- the front of two costs -----------------------------------------------------------------------


@lru_cache(maxsize=2)
def _standard_pairs(counts: tuple[int, ...], draws: int) -> "tuple[Draws, Draws]":
    """For each entry two standard normals, and what makes a t of n - 1 degrees of freedom of them.

    Shapes (entries, draws, 2) and (entries, draws).
    """
    rng = np.random.default_rng(SEED)
    drawn = [(rng.standard_normal((draws, 2)), rng.chisquare(n - 1, draws)) for n in counts]
    stretches = [np.sqrt((n - 1) / item) for n, (_, item) in zip(counts, drawn, strict=True)]
    return np.stack([normal for normal, _ in drawn]), np.stack(stretches)


def _pair_draws(
    costs: Sequence[tuple[float, float]], standard: "Draws", stretch: "Draws"
) -> "Draws":
    """Draws of the two mean logarithms together, shape (draws, 2): multivariate t.

    Standard normals take on the covariance by its eigenvectors, as numpy's `multivariate_normal`
    does it (`method="eigh"`).
    """
    logs = np.log(np.asarray(costs, dtype=float))
    covariance = np.cov(logs, rowvar=False) + np.eye(2) * SD_MIN**2
    variances, axes = np.linalg.eigh(covariance / len(logs))
    normal = standard @ (axes * np.sqrt(np.abs(variances))).T
    drawn: Draws = logs.mean(axis=0) + normal * stretch[:, None]
    return drawn


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points no other one beats: lower in one cost and not higher in the other."""
    return [
        not any(other[0] <= one[0] and other[1] <= one[1] and other != one for other in points)
        for one in points
    ]


def front_chances(
    costs: Sequence[Sequence[tuple[float, float]]],
    draws: int = DRAWS,
) -> list[float | None]:
    """Chance of each entry to lie on the Pareto front of two costs, as seconds and joules.

    The two costs of a run are drawn together: they go up and down together.

    Args:
        costs: For each entry the pairs of its runs, positive.
        draws: Number of redrawn planes.

    Returns:
        One for each entry; None for all where one has a single run.
    """
    if not costs or any(len(cost) < 2 for cost in costs):  # noqa: PLR2004 - no spread below that
        return [None] * len(costs)
    standard = zip(*_kept(_standard_pairs, [len(cost) for cost in costs], draws), strict=True)
    drawn = np.stack([_pair_draws(e, *s) for e, s in zip(costs, standard, strict=True)])
    first, second = np.ascontiguousarray(drawn.transpose(2, 1, 0))
    # By the first cost, a point is beaten if one before it is lower in the second; draws are
    # continuous, so that equal ones need no rule.
    order = np.argsort(first, axis=1)
    ordered = np.take_along_axis(second, order, axis=1)
    on_front = np.ones(ordered.shape, dtype=bool)
    on_front[:, 1:] = ordered[:, 1:] <= np.minimum.accumulate(ordered, axis=1)[:, :-1]
    chances = np.bincount(order[on_front], minlength=len(costs)) / draws
    return [float(chance) for chance in chances]


# --- sensitivity ----------------------------------------------------------------------------------


def leader(logs: Sequence[Mapping[int, float]]) -> int:
    """Index of the entry with the lowest mean logarithm; the first of equals."""
    means = [statistics.fmean(log.values()) for log in logs]
    return means.index(min(means))


def _olympic(values: Sequence[float]) -> float:
    """Mean without the best and the worst, as MLPerf Training takes it; of all under four."""
    ordered = sorted(values)
    return statistics.fmean(ordered[1:-1] if len(ordered) > 3 else ordered)  # noqa: PLR2004


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "the arithmetic mean": statistics.fmean,
    "the median": statistics.median,
    "the olympic mean": _olympic,
    "the best run": min,
    "the worst run": max,
}
"""Other ways of making one cost of several runs; they take costs, not logarithms."""


def without_a_run(names: Sequence[str], samples: Sequence[Sample]) -> list[LeaderChange]:
    """Runs without which somebody else leads; an entry's only run cannot be left out."""
    logs = [dict(sample.logs) for sample in samples]
    usual = leader(logs) if logs else 0
    changes = []
    for index, name in enumerate(names):
        for seed in sorted(logs[index]):
            if len(logs[index]) > 1:
                rest = {key: value for key, value in logs[index].items() if key != seed}
                now = leader([*logs[:index], rest, *logs[index + 1 :]])
                if now != usual:
                    changes.append(LeaderChange(f"seed {seed} of {name}", now))
    return changes


def by_other_means(samples: Sequence[Sample]) -> list[LeaderChange]:
    """Aggregates under which somebody else leads than under the geometric mean."""
    logs = [sample.logs for sample in samples]
    if not logs:
        return []
    usual, changes = leader(logs), []
    costs = [[math.exp(value) for value in log.values()] for log in logs]
    for name, aggregate in AGGREGATES.items():
        values = [aggregate(cost) for cost in costs]
        now = values.index(min(values))
        if now != usual:
            changes.append(LeaderChange(name, now))
    return changes
