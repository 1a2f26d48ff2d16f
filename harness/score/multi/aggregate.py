"""One score from the costs on several workloads, with its tests and intervals.

Each cost is divided by that of a fixed reference on the same workload, so that no entry changes the
score of another. The utility, which ranks, is the mean of `profile_gain` over the workloads, or the
negative mean logarithm of the ratios. The costs of the reference are constants and the workloads
are not a sample of others: the only uncertainty is that of each mean cost over seeds.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.records.compare import TestKind
from harness.records.ruleset import Aggregate
from harness.score.multi.profile import Floats, profile_areas, profile_gain, profile_scores
from harness.score.stats.all_pairs import all_comparable
from harness.score.stats.comparison import pairwise_test, smallest_count
from harness.score.stats.intervals import Interval, holm, log_interval, t_cdf, t_quantile
from harness.score.stats.rank_stability import DRAWS, SEED, RankChance, in_one_unit, mean_draws
from harness.score.stats.ranking import Place, places
from harness.score.stats.sample import SD_MIN, Sample, mean_log, variance_of_mean

Row = Sequence[Sample | None]
"""Costs of one algorithm on each workload; None where it has none, which counts as infinite."""

CLIPPED_ERRORS = 3.0
"""Standard errors beyond the end of the profile from which a gain is taken as constant."""

POWER = 0.9


class AggregationSpec(NamedTuple):
    """How the costs on several workloads become one score."""

    reference_logs: tuple[float, ...]
    """Natural logarithm of the reference's cost on each workload."""
    ratio_max: float = 4.0
    aggregate: Aggregate = "profile"

    @property
    def workloads_count(self) -> int:
        """Number of workloads."""
        return len(self.reference_logs)

    def without(self, index: int) -> "AggregationSpec":
        """The same without one workload."""
        logs = self.reference_logs
        return self._replace(reference_logs=(*logs[:index], *logs[index + 1 :]))

    def share(self, log_ratio: float) -> float:
        """The part of the utility that a workload gives at that ratio to the reference."""
        if self.aggregate == "profile":
            return float(profile_gain(log_ratio, self.ratio_max)) / self.workloads_count
        return -log_ratio / self.workloads_count


def without_workload(row: Row, index: int) -> list[Sample | None]:
    """A row without one workload."""
    return [*row[:index], *row[index + 1 :]]


def log_ratios(row: Row, spec: AggregationSpec) -> list[float]:
    """Logarithm of cost over the reference's cost, by workload; infinite where there is none."""
    pairs = zip(row, spec.reference_logs, strict=True)
    return [math.inf if cell is None else mean_log(cell) - log for cell, log in pairs]


def utility(row: Row, spec: AggregationSpec) -> float:
    """What ranks, higher is better; minus infinity for a row that has no place."""
    ratios = log_ratios(row, spec)
    if spec.aggregate == "profile":
        return float(profile_gain(ratios, spec.ratio_max).mean())
    return -math.inf if math.inf in ratios else -statistics.fmean(ratios)


def to_score(value: float, spec: AggregationSpec) -> float | None:
    """A utility as the score that is shown: height of the profile, or geometric mean of ratios."""
    if math.isinf(value):
        return None
    return value if spec.aggregate == "profile" else math.exp(-value)


# --- uncertainty ----------------------------------------------------------------------------------


class VarianceTerm(NamedTuple):
    """One independent part of a variance, with its degrees of freedom."""

    variance: float
    degrees: int


class StdErr(NamedTuple):
    """A standard error and the degrees of freedom of its t."""

    error: float
    degrees: float


class WorkloadTerm(NamedTuple):
    """What one workload adds to the difference of two utilities."""

    difference: float
    variances: tuple[VarianceTerm | None, ...]
    """None: the variance is unknown."""
    kind: TestKind | None
    """None where one of the two has no cost, so that no test is made."""


def _slope(cell: Sample, reference_log: float, spec: AggregationSpec) -> float:
    """Derivative of the utility by the logarithm of one cost; 0 where its gain is clipped."""
    if spec.aggregate == "geometric_mean":
        return 1.0 / spec.workloads_count
    width = math.log(spec.ratio_max)
    error = math.sqrt(variance_of_mean(cell) or 0.0)
    if abs(mean_log(cell) - reference_log) > width + CLIPPED_ERRORS * error:
        return 0.0
    return 1.0 / (2 * width * spec.workloads_count)


def _own_variance(
    cell: Sample | None, reference_log: float, spec: AggregationSpec
) -> Iterator[VarianceTerm | None]:
    """The variance that one cost adds; nothing where there is no cost or its gain is clipped."""
    slope = 0.0 if cell is None else _slope(cell, reference_log, spec)
    if cell is not None and slope:
        variance = None if cell.open_ended else variance_of_mean(cell)
        yield None if variance is None else VarianceTerm(slope**2 * variance, len(cell.logs) - 1)


def _workload_term(
    one: Sample | None, two: Sample | None, reference_log: float, spec: AggregationSpec
) -> WorkloadTerm:
    own = [*_own_variance(one, reference_log, spec), *_own_variance(two, reference_log, spec)]
    if one is None or two is None:
        logs = log_ratios([one, two], AggregationSpec((reference_log, reference_log)))
        return WorkloadTerm(spec.share(logs[0]) - spec.share(logs[1]), tuple(own), None)
    first, second = (mean_log(cell) - reference_log for cell in (one, two))
    test = pairwise_test(one, two)
    if one.open_ended or two.open_ended:
        difference = spec.share(first) - spec.share(second)
        return WorkloadTerm(difference, tuple(own), test.kind)
    # The second cost lies as far from the first as the test says: machine drift cancels.
    difference = spec.share(first) - spec.share(first - test.difference)
    slopes = [_slope(cell, reference_log, spec) for cell in (one, two)]
    if not test.parts:
        return WorkloadTerm(difference, (None,), test.kind)
    if not all(slopes):
        return WorkloadTerm(difference, tuple(own), test.kind)
    terms = (VarianceTerm(slopes[0] ** 2 * part.variance, part.n - 1) for part in test.parts)
    return WorkloadTerm(difference, tuple(terms), test.kind)


def _pool(terms: Sequence[VarianceTerm | None], spec: AggregationSpec) -> StdErr | None:
    """Sum independent variances, degrees by Satterthwaite (Biometrics Bulletin 2, 1946).

    Where every gain is clipped or missing, the resolution of clocks and meters remains.
    """
    known = [term for term in terms if term is not None]
    if len(known) < len(terms):
        return None
    total = math.fsum(term.variance for term in known)
    if not total:
        return StdErr(SD_MIN / (2 * math.log(spec.ratio_max)), 1.0)
    squares = math.fsum(term.variance**2 / term.degrees for term in known)
    return StdErr(math.sqrt(total), total * total / squares)


TEST_ORDER: tuple[TestKind, ...] = ("paired", "via_reference", "independent", "not_comparable")
"""Kinds of tests, the most powerful one first."""


class RowDifference(NamedTuple):
    """The difference of the utilities of two rows, first minus second."""

    observed: float
    tested: float
    """By the tests on the workloads."""
    stderr: StdErr | None
    """None where a variance is unknown or a pair is not comparable."""
    kind: TestKind
    """The least powerful of the tests."""
    n: int
    """The smallest number of seeds of a cost."""

    @property
    def p_differ(self) -> float:
        """Two-sided p; 1 where the standard error is unknown or the signs disagree."""
        if not math.isfinite(self.observed):
            return 0.0 if math.isinf(self.observed) else 1.0
        if self.stderr is None or self.tested * self.observed <= 0:
            return 1.0
        return min(1.0, 2 * t_cdf(-abs(self.tested) / self.stderr.error, self.stderr.degrees))

    def minimum_detectable(self, alpha: float, seeds_ratio: float = 1.0) -> float | None:
        """Difference that a two-sided test detects with power 0.9.

        (t(1 - alpha/2) + t(0.9)) standard errors.

        Args:
            alpha: Two-sided level.
            seeds_ratio: Number of seeds over the present one.
        """
        if self.stderr is None:
            return None
        degrees = max(1.0, self.stderr.degrees * seeds_ratio)
        quantiles = t_quantile(1 - alpha / 2, degrees) + t_quantile(POWER, degrees)
        return quantiles * self.stderr.error / math.sqrt(seeds_ratio)

    def seeds_to_settle(self, alpha: float, most: int = 1000) -> int | None:
        """Seeds on each workload with which the observed difference would be detected."""
        if self.stderr is None or not math.isfinite(self.observed) or not self.observed:
            return None
        return smallest_count(
            lambda n: (self.minimum_detectable(alpha, n / self.n) or 0.0) <= abs(self.observed),
            most,
        )


def difference_of(a: Row, b: Row, spec: AggregationSpec) -> RowDifference:
    """Compare two rows, on each workload by the test that the runs allow there.

    That a row has no cost on a workload is a fact under the rules, not an estimate: it adds to the
    difference and nothing to its error.
    """
    terms = [
        _workload_term(one, two, log, spec)
        for one, two, log in zip(a, b, spec.reference_logs, strict=True)
    ]
    return RowDifference(
        utility(a, spec) - utility(b, spec),
        sum(term.difference for term in terms),
        _pool([variance for term in terms for variance in term.variances], spec),
        max((term.kind for term in terms if term.kind), key=TEST_ORDER.index,
            default="independent"),
        min((len(cell.logs) for cell in (*a, *b) if cell), default=1),
    )  # fmt: skip


def score_interval(row: Row, spec: AggregationSpec, level: float) -> Interval | None:
    """The score with its t interval over seeds.

    Returns:
        None for a row without a place; ends are None where a cost has a single run.
    """
    value = utility(row, spec)
    if math.isinf(value):
        return None
    cells = zip(row, spec.reference_logs, strict=True)
    stderr = _pool([term for cell in cells for term in _own_variance(*cell, spec)], spec)
    if stderr is None:
        return Interval(to_score(value, spec) or 0.0, None, None)
    half = t_quantile((1 + level) / 2, stderr.degrees) * stderr.error
    if spec.aggregate == "profile":
        return Interval(value, max(0.0, value - half), min(1.0, value + half))
    return log_interval(-value, half)


# --- ranks ----------------------------------------------------------------------------------------


class RowRanking(NamedTuple):
    """The order of the rows, and what the data support of it."""

    order: tuple[int, ...]
    """Indices of the rows, best first."""
    places: tuple[Place, ...]
    """In that order."""
    separated: bool
    """Whether the first two are significantly different."""


def rank_rows(
    table: Sequence[Row], names: Sequence[str], spec: AggregationSpec, alpha: float
) -> RowRanking:
    """Rank rows by utility; equal ones by name.

    Args:
        table: Rows with a finite utility.
        names: Their names, distinct.
        spec: How costs become a score.
        alpha: Two-sided level over all pairs together (Holm).
    """
    utilities = [utility(row, spec) for row in table]
    order = sorted(range(len(table)), key=lambda i: (-utilities[i], names[i]))
    pairs = list(combinations(range(len(order)), 2))
    p_values = [difference_of(table[order[i]], table[order[j]], spec).p_differ for i, j in pairs]
    different = {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p < alpha}
    return RowRanking(tuple(order), tuple(places(len(order), different)), (0, 1) in different)


def _redraw(table: Sequence[Row], draws: int) -> Floats | None:
    """Draw the mean logarithms of all costs from their posteriors.

    Returns:
        Shape (draws, rows, workloads), infinite where there is no cost; None where a cost has a
        single or a failed run, or two entries are not comparable.
    """
    logs = np.full((draws, len(table), len(table[0])), np.inf)
    for column in range(len(table[0])):
        present = [at for at, row in enumerate(table) if row[column] is not None]
        cells = [cell for row in table if (cell := row[column])]
        if not all_comparable(cells) or any(cell.open_ended for cell in cells):
            return None
        rng = np.random.default_rng((SEED, column))
        for at, cell in zip(present, in_one_unit(cells), strict=True):
            drawn = mean_draws(cell, rng, draws)
            if drawn is None:
                return None
            logs[:, at, column] = drawn
    return logs


def redrawn_ranks(
    table: Sequence[Row], spec: AggregationSpec, level: float = 0.95, draws: int = DRAWS
) -> list[RankChance | None]:
    """Chance of rank 1, and interval of the rank, when all costs are redrawn.

    Returns:
        One for each row; None for all where `_redraw` gives none.
    """
    logs = _redraw(table, draws) if table else None
    if logs is None:
        return [None] * len(table)
    ratios = logs - np.array(spec.reference_logs)
    gains = profile_gain(ratios, spec.ratio_max) if spec.aggregate == "profile" else -ratios
    ranks = np.argsort(np.argsort(-gains.mean(axis=-1), axis=1), axis=1) + 1
    ends = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest")
    first = (ranks == 1).mean(axis=0)
    return [
        RankChance(float(p), int(low), int(high)) for p, low, high in zip(first, *ends, strict=True)
    ]


def cost_matrix(table: Sequence[Row]) -> Floats:
    """Geometric means of the costs, shape (rows, workloads); infinite where there is no cost."""
    return np.array([[math.exp(mean_log(cell)) if cell else np.inf for cell in row]
                     for row in table])  # fmt: skip


def best_profile_intervals(
    table: Sequence[Row], ratio_max: float, level: float = 0.95, draws: int = DRAWS
) -> list[Interval]:
    """Profile against the lowest costs present, with its interval when all costs are redrawn.

    Returns:
        One for each row; the ends are None where `_redraw` gives none, or where no draw moves the
        score, which shows no certainty.
    """
    if not table:
        return []
    values = profile_scores(cost_matrix(table), ratio_max)
    logs = _redraw(table, draws)
    if logs is None:
        return [Interval(float(value), None, None) for value in values]
    with np.errstate(invalid="ignore", over="ignore"):
        # Ratios of logarithms: a draw of two runs may be beyond the range of floats.
        relative = np.where(np.isinf(logs), np.inf, logs - logs.min(axis=1, keepdims=True))
        drawn = profile_areas(np.exp(relative), ratio_max)
    lows, highs = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        Interval(float(value), *((float(low), float(high)) if low < high else (None, None)))
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


# --- sensitivity ----------------------------------------------------------------------------------


def leader(table: Sequence[Row], spec: AggregationSpec) -> int:
    """Index of the row with the highest utility; the first of equal ones."""
    utilities = [utility(row, spec) for row in table]
    return utilities.index(max(utilities))


def leaders_without_a_workload(table: Sequence[Row], spec: AggregationSpec) -> list[int]:
    """Who leads without each workload; nothing where there is only one."""
    if spec.workloads_count < 2 or not table:  # noqa: PLR2004 - one workload cannot be left out
        return []
    return [
        leader([without_workload(row, at) for row in table], spec.without(at))
        for at in range(spec.workloads_count)
    ]


def leaders_without_a_run(
    table: Sequence[Row], spec: AggregationSpec
) -> Iterator[tuple[int, int, int, int]]:
    """Find the runs without which another row leads: row, workload, seed, and who leads then.

    The only run of a cost cannot be left out.
    """
    utilities = [utility(row, spec) for row in table]
    usual = utilities.index(max(utilities))
    for at, row in enumerate(table):
        for column, cell in enumerate(row):
            for seed in sorted(cell.logs) if cell and len(cell.logs) > 1 else ():
                assert cell is not None
                rest = {key: log for key, log in cell.logs.items() if key != seed}
                changed = [*row[:column], cell._replace(logs=rest), *row[column + 1 :]]
                others = [*utilities[:at], utility(changed, spec), *utilities[at + 1 :]]
                if (now := others.index(max(others))) != usual:
                    yield at, column, seed, now
