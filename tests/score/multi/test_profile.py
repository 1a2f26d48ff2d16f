import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.multi.profile import area_intervals, areas, ratios, without_each
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
    return Sample({seed: math.log(item) for seed, item in enumerate((cost, *others))}, SD_MIN)


def table(costs: Sequence[Sequence[float | None]]) -> list[list[Sample | None]]:
    return [[None if item is None else sample(item) for item in row] for row in costs]


def integral(row: Sequence[float], ratio_max: float, points: int = 20_000) -> float:
    """The mean height of a profile, by counting at many ratios."""
    taus = [1 + (ratio_max - 1) * (k + 0.5) / points for k in range(points)]
    return sum(sum(r <= tau for r in row) / len(row) for tau in taus) / points


def test_a_worked_example() -> None:
    found = areas(table([[1, 4], [2, 2], [None, 3]]), 4.0)
    assert found == pytest.approx([(1 + 2 / 3) / 2, (2 / 3 + 1) / 2, (0 + 2.5 / 3) / 2])


def test_the_score_is_the_area_under_the_profile() -> None:
    rows = table([[1, 4, 7.7], [2, 2, 7], [1.31, None, 9.1]])
    for row, area in zip(ratios(rows), areas(rows, 4.0), strict=True):
        assert area == pytest.approx(integral(row, 4.0), abs=2e-4)


@given(TABLES)
def test_scores_are_parts_of_one_and_the_best_everywhere_has_all(
    costs: list[list[float | None]],
) -> None:
    found = areas(table(costs))
    assert all(0 <= item <= 1 for item in found)
    for row, area in zip(costs, found, strict=True):
        columns = list(zip(*costs, strict=True))
        if all(v is not None and v <= min(c for c in columns[i] if c is not None)
               for i, v in enumerate(row)):  # fmt: skip
            assert area == pytest.approx(1.0)


@given(TABLES, st.floats(1e-3, 1e3))
def test_the_unit_of_a_workload_changes_nothing(
    costs: list[list[float | None]], factor: float
) -> None:
    other = [[item and item * factor, *row] for item, *row in costs]
    assert areas(table(other)) == pytest.approx(areas(table(costs)), abs=1e-9)


def test_an_interval_holds_its_score_and_shrinks_with_the_spread() -> None:
    wide = [[sample(9, 10, 11)], [sample(14, 15, 16.5)]]
    narrow = [[sample(9.9, 10, 10.1)], [sample(14.9, 15, 15.1)]]
    spans = []
    for rows in (wide, narrow):
        area, found = areas(rows)[1], area_intervals(rows)[1]
        assert found is not None
        assert found.low <= area <= found.high
        spans.append(found.high - found.low)
    assert spans[1] < spans[0]
    assert area_intervals(wide) == area_intervals(wide)


def test_one_run_leaves_all_scores_without_an_interval() -> None:
    assert area_intervals([[sample(9, 10, 11)], [sample(14)]]) == [None, None]
    open_ended = sample(9, 10)._replace(open_ended=True)
    assert area_intervals([[open_ended], [sample(14, 15)]]) == [None, None]


def test_a_score_that_no_draw_moves_has_no_interval() -> None:
    """Who is alone on its workload is the best of it whatever its runs say: no width, no claim."""
    alone = [[sample(9, 10, 11), None], [None, sample(4, 5, 6)]]
    assert areas(alone) == [0.5, 0.5]
    assert area_intervals(alone) == [None, None]
    first, second = area_intervals([[sample(9, 10, 11)], [sample(14, 15, 16)]])
    assert first is None
    assert second is not None


def test_a_workload_left_out_changes_the_lead_that_hung_on_it() -> None:
    rows = table([[1, 1, 3.9], [1.2, 1.2, 1]])
    assert areas(rows)[1] > areas(rows)[0]
    assert [item[0] > item[1] for item in without_each(rows)] == [False, False, True]
    assert without_each(table([[1], [2]])) == []
    assert areas([]) == []
