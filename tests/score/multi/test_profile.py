"""Performance profiles: the score is the area under the profile, whatever the baseline."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.multi.aggregate import Row, best_profile_intervals, cost_matrix
from harness.score.multi.profile import Floats, cost_ratios, profile_gain, profile_scores
from harness.score.stats.sample import SD_MIN, Sample

COSTS = st.floats(1e-6, 1e9)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.one_of(st.none(), COSTS), min_size=width, max_size=width),
        min_size=1,
        max_size=5,
    )
)


def sample(cost: float, *others: float) -> Sample:
    return Sample({seed: math.log(value) for seed, value in enumerate((cost, *others))}, SD_MIN)


def matrix(costs: Sequence[Sequence[float | None]]) -> Floats:
    return np.array([[math.inf if cost is None else cost for cost in row] for row in costs])


def against_best(ratios: Sequence[float], ratio_max: float, points: int = 20_000) -> float:
    """Mean height of a profile over ratios from 1, by counting at many ratios."""
    taus = [1 + (ratio_max - 1) * (k + 0.5) / points for k in range(points)]
    return sum(sum(r <= tau for r in ratios) / len(ratios) for tau in taus) / points


def against_reference(ratios: Sequence[float], ratio_max: float, points: int = 40_000) -> float:
    """Mean height of a profile over a logarithmic scale, by counting at many ratios."""
    logs = [math.log(ratio_max) * (2 * (k + 0.5) / points - 1) for k in range(points)]
    return sum(sum(math.log(r) <= tau for r in ratios) / len(ratios) for tau in logs) / points


def test_worked_examples() -> None:
    best = profile_scores(matrix([[1, 4], [2, 2], [None, 3]]), 4.0)
    assert best == pytest.approx([(1 + 2 / 3) / 2, (2 / 3 + 1) / 2, (0 + 2.5 / 3) / 2])
    reference = profile_scores(matrix([[5, 2, None]]), 4.0, np.array([10.0, 2.0, 1.0]))
    assert reference == pytest.approx([(0.75 + 0.5 + 0.0) / 3])


def test_the_score_is_the_area_under_the_profile() -> None:
    costs = matrix([[1, 4, 7.7], [2, 2, 7], [1.31, None, 9.1]])
    for row, score in zip(cost_ratios(costs).tolist(), profile_scores(costs, 4.0), strict=True):
        assert score == pytest.approx(against_best(row, 4.0), abs=2e-4)


@pytest.mark.parametrize("ratios", [[0.3, 1.7, 3.9], [1, 1, 1], [0.1, 9.0, 2.5], [0.25, 4.0, 0.9]])
def test_the_score_is_the_area_under_the_profile_against_a_reference(ratios: list[float]) -> None:
    (score,) = profile_scores(matrix([ratios]), 4.0, np.ones(3))
    assert score == pytest.approx(against_reference(ratios, 4.0), abs=2e-4)


def test_gains_end_where_the_profile_does() -> None:
    assert profile_gain(math.inf) == profile_gain(math.log(5)) == 0.0
    assert profile_gain(-math.inf) == profile_gain(-math.log(5)) == 1.0
    assert profile_gain(0.0) == 0.5


@given(TABLES)
def test_scores_are_fractions_and_the_best_everywhere_has_all(
    costs: list[list[float | None]],
) -> None:
    scores = profile_scores(matrix(costs))
    assert all(0 <= score <= 1 for score in scores)
    for row, score in zip(costs, scores, strict=True):
        columns = list(zip(*costs, strict=True))
        if all(v is not None and v <= min(c for c in columns[i] if c is not None)
               for i, v in enumerate(row)):  # fmt: skip
            assert score == pytest.approx(1.0)


@given(TABLES, st.floats(1e-3, 1e3))
def test_the_unit_of_a_workload_changes_nothing(
    costs: list[list[float | None]], factor: float
) -> None:
    other = [[first and first * factor, *row] for first, *row in costs]
    assert profile_scores(matrix(other)) == pytest.approx(profile_scores(matrix(costs)), abs=1e-9)


def test_leading_axes_are_independent() -> None:
    costs = matrix([[1, 4], [2, 2], [None, 3]])
    both = profile_scores(np.stack([costs, 2 * costs[::-1]]))
    assert both == pytest.approx(np.stack([profile_scores(costs), profile_scores(2 * costs[::-1])]))


# --- intervals ------------------------------------------------------------------------------------


def test_an_interval_holds_its_score_and_shrinks_with_the_spread() -> None:
    wide: list[Row] = [[sample(9, 10, 11)], [sample(14, 15, 16.5)]]
    narrow: list[Row] = [[sample(9.9, 10, 10.1)], [sample(14.9, 15, 15.1)]]
    widths = []
    for rows in (wide, narrow):
        value, low, high = best_profile_intervals(rows, 4.0)[1]
        assert value == profile_scores(cost_matrix(rows))[1]
        assert low is not None
        assert high is not None
        assert low <= value <= high
        widths.append(high - low)
    assert widths[1] < widths[0]
    assert best_profile_intervals(wide, 4.0) == best_profile_intervals(wide, 4.0)


@pytest.mark.parametrize("one", [sample(9), sample(9, 10)._replace(open_ended=True)])
def test_a_single_or_failed_run_leaves_all_scores_without_an_interval(one: Sample) -> None:
    intervals = best_profile_intervals([[one], [sample(14, 15)]], 4.0)
    assert [interval[1:] for interval in intervals] == [(None, None)] * 2


def test_a_score_that_no_draw_changes_has_no_interval() -> None:
    """The only algorithm on a workload is its best whatever its runs: no width, no certainty."""
    alone: list[Row] = [[sample(9, 10, 11), None], [None, sample(4, 5, 6)]]
    assert best_profile_intervals(alone, 4.0) == [(0.5, None, None)] * 2
    first, second = best_profile_intervals([[sample(9, 10, 11)], [sample(14, 15, 16)]], 4.0)
    assert first.low is None
    assert second.low is not None
    assert best_profile_intervals([], 4.0) == []
