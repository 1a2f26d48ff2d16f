"""Several workloads together: one score against a frozen reference, with its tests and interval.

A profile is the part of all workloads on which a cost is at most tau times the reference's (after
Dolan and More, Mathematical Programming 91, 2002, with the reference in place of the best present).
Its mean height over tau from 1/m to m, on a logarithmic scale, is the mean over workloads of

    gain = min(1, max(0, 1/2 - ln(cost / reference) / (2 ln m))),

so that the reference has one half, a cost m times lower everywhere has one, and a workload without
a cost adds nothing. The reference's costs are constants: nobody's coming or going moves a score.
The workloads are taken as they are, not as a draw from others; what is uncertain is the mean of
each entry on each of them, over seeds.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from harness.records.compare import TestKind
from harness.records.multi import Aggregate
from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.comparison import PairwiseTest, paired_seeds, pairwise_test
from harness.score.stats.intervals import Interval, holm, t_cdf, t_quantile
from harness.score.stats.rank_stability import DRAWS, SEED, RankChance, in_one_unit, mean_draws
from harness.score.stats.ranking import Place, places
from harness.score.stats.sample import SD_MIN, Sample, mean_log, variance_of_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Row = Sequence[Sample | None]
"""Costs of one contender, one for each workload; None where it has none: infinite."""

REACH = 3.0
"""Standard errors within which a clipped gain may move after all."""

POWER = 0.9


class Terms(NamedTuple):
    """What turns costs into one score."""

    reference_logs: tuple[float, ...]
    """Logarithm of the reference's cost, by workload."""
    ratio_max: float = 4.0
    aggregate: Aggregate = "profile"

    @property
    def workloads_count(self) -> int:
        """Number of workloads."""
        return len(self.reference_logs)

    @property
    def better(self) -> str:
        """Direction of the score: the profile's height, or the mean ratio of costs."""
        return "higher" if self.aggregate == "profile" else "lower"

    def without(self, place: int) -> "Terms":
        """The same with one workload left out."""
        logs = self.reference_logs
        return self._replace(reference_logs=(*logs[:place], *logs[place + 1 :]))


def log_ratios(row: Row, terms: Terms) -> list[float]:
    """Logarithm of cost over reference, by workload; infinite where there is no cost."""
    pairs = zip(row, terms.reference_logs, strict=True)
    return [math.inf if cell is None else mean_log(cell) - unit for cell, unit in pairs]


def gain(log_ratio: float, ratio_max: float) -> float:
    """What a cost adds to the profile, from 0 to 1; one half at the reference's own cost."""
    if math.isinf(log_ratio):
        return 0.0 if log_ratio > 0 else 1.0
    return min(1.0, max(0.0, 0.5 - log_ratio / (2 * math.log(ratio_max))))


def merit(row: Row, terms: Terms) -> float:
    """What ranks, so that more is better; minus infinity: no place.

    The mean gain, or the negative mean logarithm of the ratios.
    """
    found = log_ratios(row, terms)
    if terms.aggregate == "profile":
        return statistics.fmean(gain(item, terms.ratio_max) for item in found)
    return -math.inf if math.inf in found else -statistics.fmean(found)


def shown(value: float, terms: Terms) -> float | None:
    """A merit as a score: the profile's height, or the geometric mean of the ratios."""
    if math.isinf(value):
        return None
    return value if terms.aggregate == "profile" else math.exp(-value)


# --- uncertainty of a mean over workloads ---------------------------------------------------------


class Part(NamedTuple):
    """One independent piece of a variance, with its degrees of freedom."""

    variance: float
    degrees: int


class Spread(NamedTuple):
    """Standard error of a difference (or of a merit) with the degrees of freedom of its t."""

    error: float
    degrees: float


def _slope(cell: Sample | None, unit: float, terms: Terms) -> float:
    """How a merit moves with the logarithm of one cost; 0 where it is surely clipped."""
    if cell is None:
        return 0.0
    if terms.aggregate == "geometric_mean":
        return 1.0 / terms.workloads_count
    height = math.log(terms.ratio_max)
    error = math.sqrt(variance_of_mean(cell) or 0.0)
    if abs(mean_log(cell) - unit) > height + REACH * error:
        return 0.0
    return 1.0 / (2 * height * terms.workloads_count)


def _single(cell: Sample | None, slope: float) -> Iterator[Part | None]:
    if cell is None or not slope:
        return
    variance = None if cell.open_ended else variance_of_mean(cell)
    yield None if variance is None else Part(slope * slope * variance, len(cell.logs) - 1)


class Step(NamedTuple):
    """What one workload adds to the difference of two merits."""

    difference: float
    parts: tuple[Part | None, ...]
    """Of its variance; None for one that is unknown."""


def _of_test(found: PairwiseTest, slope: float) -> tuple[Part | None, ...]:
    if not found.parts:
        return (None,)
    return tuple(Part(slope * slope * part.variance, part.n - 1) for part in found.parts)


def _step(one: Sample | None, two: Sample | None, unit: float, terms: Terms) -> Step:
    """One workload, by the test that compares the two entries on it."""
    slopes = (_slope(one, unit, terms), _slope(two, unit, terms))
    gains = (_part_of_merit(one, unit, terms), _part_of_merit(two, unit, terms))
    if one is None or two is None or one.open_ended or two.open_ended:
        parts = (*_single(one, slopes[0]), *_single(two, slopes[1]))
        return Step(gains[0] - gains[1], parts)
    found = pairwise_test(one, two)
    # As far from the first as the test says: the state of the machine cancels in it.
    other = _gain_of(mean_log(one) - unit - found.difference, terms)
    if all(slopes):
        return Step(gains[0] - other, _of_test(found, slopes[0]))
    if not found.parts:
        return Step(gains[0] - other, (None,))
    parts = (*_single(one, slopes[0]), *_single(two, slopes[1]))
    return Step(gains[0] - other, parts)


def _gain_of(log_ratio: float, terms: Terms) -> float:
    if terms.aggregate == "profile":
        return gain(log_ratio, terms.ratio_max) / terms.workloads_count
    return -log_ratio / terms.workloads_count


def _part_of_merit(cell: Sample | None, unit: float, terms: Terms) -> float:
    return _gain_of(math.inf if cell is None else mean_log(cell) - unit, terms)


def steps(a: Row, b: Row, terms: Terms) -> list[Step]:
    """What each workload adds to the difference of two merits."""
    rows = zip(a, b, terms.reference_logs, strict=True)
    return [_step(one, two, unit, terms) for one, two, unit in rows]


def _pooled(parts: Sequence[Part | None], terms: Terms) -> Spread | None:
    """Sum of independent pieces, degrees by Satterthwaite (Biometrics Bulletin 2, 1946).

    Where all is clipped or missing, what is left is the resolution of any clock.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    total = math.fsum(item.variance for item in known)
    if not total:
        return Spread(SD_MIN / (2 * math.log(terms.ratio_max)), 1.0)
    squares = math.fsum(item.variance**2 / item.degrees for item in known)
    return Spread(math.sqrt(total), total * total / squares)


def difference_spread(a: Row, b: Row, terms: Terms) -> Spread | None:
    """Standard error of the difference of two merits; None where a cost has a single run.

    On each workload by the test that compares the two there.
    """
    return _pooled([part for step in steps(a, b, terms) for part in step.parts], terms)


def differ_p(a: Row, b: Row, terms: Terms) -> float:
    """Two-sided p that two merits differ; 1 where a spread is unknown.

    That an entry has no cost on a workload is a fact of the rules, not an estimate; it adds to the
    difference and nothing to its error. A difference that the tests turn round is none.
    """
    merits = (merit(a, terms), merit(b, terms))
    if math.isinf(merits[0]) or math.isinf(merits[1]):
        return 1.0 if merits[0] == merits[1] else 0.0
    found, each = difference_spread(a, b, terms), steps(a, b, terms)
    difference = math.fsum(step.difference for step in each)
    if found is None or difference * (merits[0] - merits[1]) < 0:
        return 1.0
    return min(1.0, 2 * t_cdf(-abs(difference) / found.error, found.degrees))


def all_paired(a: Row, b: Row) -> bool:
    """Whether the runs of two contenders alternate on every workload that both have a cost on."""
    both = [(one, two) for one, two in zip(a, b, strict=True) if one and two]
    return bool(both) and all(paired_seeds(one, two) for one, two in both)


STRENGTH: tuple[TestKind, ...] = ("paired", "via_reference", "independent", "not_comparable")
"""Tests, from the one that sees most."""


def weakest_test(a: Row, b: Row) -> TestKind:
    """The test that tells least of those by which two contenders are compared."""
    both = [(one, two) for one, two in zip(a, b, strict=True) if one and two]
    kinds = {pairwise_test(one, two).kind for one, two in both}
    return max(kinds, key=STRENGTH.index, default="independent")


def score_interval(row: Row, terms: Terms, level: float) -> Interval | None:
    """The score with its t interval over seeds; None for no place; ends None for a single run.

    It has a width always: agreement to the last digit is agreement to the resolution of a clock.
    """
    value = merit(row, terms)
    if math.isinf(value):
        return None
    parts = [part for item, unit in zip(row, terms.reference_logs, strict=True)
             for part in _single(item, _slope(item, unit, terms))]  # fmt: skip
    found = _pooled(parts, terms)
    if found is None:
        return Interval(shown(value, terms) or 0.0, None, None)
    half = t_quantile((1 + level) / 2, found.degrees) * found.error
    if terms.aggregate == "profile":
        return Interval(value, max(0.0, value - half), min(1.0, value + half))
    return Interval(math.exp(-value), math.exp(-value - half), math.exp(-value + half))


def resolvable_lead(a: Row, b: Row, terms: Terms, alpha: float) -> float | None:
    """Difference of merits that a two-sided test at `alpha` sees with power 0.9.

    (t(1 - alpha/2) + t(0.9)) standard errors, at the spreads found.
    """
    found = difference_spread(a, b, terms)
    if found is None:
        return None
    reach = t_quantile(1 - alpha / 2, found.degrees) + t_quantile(POWER, found.degrees)
    return reach * found.error


def seeds_to_settle(a: Row, b: Row, terms: Terms, alpha: float, most: int = 1000) -> int | None:
    """Seeds of each on each workload with which a lead of that size would be seen, power 0.9.

    The variance of a mean shrinks, and its degrees of freedom grow, with the number of seeds.
    """
    found = difference_spread(a, b, terms)
    lead = abs(merit(a, terms) - merit(b, terms))
    if found is None or not math.isfinite(lead) or lead <= 0:
        return None
    now = min(len(cell.logs) for row in (a, b) for cell in row if cell)

    def enough(count: int) -> bool:
        more = count / now
        degrees = max(1.0, found.degrees * more)
        reach = t_quantile(1 - alpha / 2, degrees) + t_quantile(POWER, degrees)
        return reach * found.error / math.sqrt(more) <= lead

    if not enough(most):
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# --- places ---------------------------------------------------------------------------------------


class Ranking(NamedTuple):
    """The order and what it is worth."""

    order: tuple[int, ...]
    """Indices of the contenders, best first."""
    places: tuple[Place, ...]
    """In that order."""
    separated: bool
    """Whether the first is told apart from the second."""


def rank(table: Sequence[Row], names: Sequence[str], terms: Terms, alpha: float) -> Ranking:
    """Order by merit, ties by name, and say what the data can and cannot separate.

    Args:
        table: A row for each contender, each with a finite merit.
        names: Of the contenders, distinct.
        terms: What makes one score of many costs.
        alpha: Two-sided level over all pairs together (Holm).
    """
    merits = [merit(row, terms) for row in table]
    order = sorted(range(len(table)), key=lambda i: (-merits[i], names[i]))
    pairs = list(combinations(range(len(order)), 2))
    raw = [differ_p(table[order[i]], table[order[j]], terms) for i, j in pairs]
    different = {pair for pair, p in zip(pairs, holm(raw), strict=True) if p < alpha}
    return Ranking(tuple(order), tuple(places(len(order), different)), (0, 1) in different)


def _gains(logs: "Floats", terms: Terms) -> "Floats":
    import numpy as np

    if terms.aggregate == "profile":
        heights = np.clip(0.5 - logs / (2 * math.log(terms.ratio_max)), 0.0, 1.0)
        found: Floats = heights.mean(axis=-1)
        return found
    means: Floats = -logs.mean(axis=-1)
    return means


def _column_draws(cells: Sequence[Sample], column: int, draws: int) -> "Floats | None":
    """Draws of the mean logarithms of all that have a cost on one workload, (entries, draws)."""
    import numpy as np

    rng = np.random.default_rng((SEED, column))
    drawn = [
        None if cell.open_ended else mean_draws(cell, rng, draws) for cell in in_one_unit(cells)
    ]
    known = [item for item in drawn if item is not None]
    if len(known) < len(cells) or not all_comparable(cells):
        return None
    return np.stack(known) if known else np.empty((0, draws))


def rank_chances(
    table: Sequence[Row], terms: Terms, level: float = 0.95, draws: int = DRAWS
) -> list[RankChance | None]:
    """Chance of rank 1 and interval of the rank when all costs are redrawn from their posteriors.

    Returns:
        One for each contender; None for all where one cost has a single run or failed ones.
    """
    import numpy as np

    if not table:
        return []
    logs = np.full((len(table), draws, terms.workloads_count), np.inf)
    for column, unit in enumerate(terms.reference_logs):
        there = [at for at, row in enumerate(table) if row[column] is not None]
        drawn = _column_draws([cell for row in table if (cell := row[column])], column, draws)
        if drawn is None:
            return [None] * len(table)
        logs[there, :, column] = drawn - unit
    merits = np.stack([_gains(log, terms) for log in logs], axis=1)
    ranks = np.argsort(np.argsort(-merits, axis=1), axis=1) + 1
    ends = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest")
    first = (ranks == 1).mean(axis=0)
    return [
        RankChance(float(p), int(low), int(high)) for p, low, high in zip(first, *ends, strict=True)
    ]


# --- sensitivity ----------------------------------------------------------------------------------


def without_workload(row: Row, place: int) -> list[Sample | None]:
    """A row with one workload left out."""
    return [*row[:place], *row[place + 1 :]]


def leader(table: Sequence[Row], names: Sequence[str], terms: Terms) -> int:
    """Index of the contender with the greatest merit; ties by name."""
    merits = [merit(row, terms) for row in table]
    return min(range(len(table)), key=lambda i: (-merits[i], names[i]))


def leaders_without_a_run(
    table: Sequence[Row], names: Sequence[str], terms: Terms
) -> list[tuple[int, int, int, int]]:
    """Runs without which somebody else leads: contender, workload, seed, and who leads then."""
    usual = leader(table, names, terms)
    changes = []
    for at, row in enumerate(table):
        for place, cell in enumerate(row):
            for seed in sorted(cell.logs) if cell and len(cell.logs) > 1 else ():
                assert cell is not None
                rest = {key: value for key, value in cell.logs.items() if key != seed}
                other = [*row[:place], cell._replace(logs=rest), *row[place + 1 :]]
                now = leader([*table[:at], other, *table[at + 1 :]], names, terms)
                if now != usual:
                    changes.append((at, place, seed, now))
    return changes
