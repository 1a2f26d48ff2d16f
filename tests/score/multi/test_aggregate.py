"""Scores over several workloads: utilities, laws, intervals, tests and ranks."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.multi.aggregate import (
    AggregationSpec,
    Row,
    difference_of,
    leader,
    leaders_without_a_run,
    leaders_without_a_workload,
    log_ratios,
    rank_rows,
    redrawn_ranks,
    score_interval,
    to_score,
    utility,
)
from harness.score.multi.profile import profile_gain
from harness.score.stats.intervals import holm
from harness.score.stats.sample import SD_MIN, Sample, mean_log
from tests.lab.results import moments

UNIT = AggregationSpec((0.0, 0.0, 0.0))
COSTS = st.floats(1e-3, 1e6)
ROWS = st.lists(st.one_of(st.none(), COSTS), min_size=3, max_size=3)
TABLES = st.lists(ROWS, min_size=1, max_size=5)


def cell(*costs: float, first: int = 0) -> Sample:
    return Sample({seed: math.log(item) for seed, item in enumerate(costs, first)}, SD_MIN)


def row(costs: Sequence[float | None]) -> list[Sample | None]:
    return [None if cost is None else cell(cost, cost * 1.1, cost / 1.1) for cost in costs]


# --- the score ------------------------------------------------------------------------------------


def test_a_worked_example() -> None:
    """Half the reference's cost, the reference's own, none: gains of 3/4, 1/2 and 0 at m = 4."""
    value = utility(row([0.5, 1.0, None]), UNIT)
    assert value == pytest.approx((0.75 + 0.5 + 0.0) / 3)


def test_a_workload_without_a_cost_is_infinite() -> None:
    some, mean = row([0.5, None, 0.5]), UNIT._replace(aggregate="geometric_mean")
    assert log_ratios(some, UNIT)[1] == math.inf
    assert utility(some, mean) == -math.inf
    assert to_score(utility(some, mean), mean) is None
    assert score_interval(some, mean, 0.95) is None
    assert utility(some, UNIT) == pytest.approx(0.5), "two of three, each with three quarters"


def test_the_geometric_mean_of_ratios_is_what_it_is_called() -> None:
    mean = AggregationSpec((math.log(10), 0.0, 0.0), aggregate="geometric_mean")
    score = to_score(utility(row([5.0, 2.0, 8.0]), mean), mean)
    assert score == pytest.approx((0.5 * 2 * 8) ** (1 / 3))


# --- laws -----------------------------------------------------------------------------------------


@given(TABLES, st.floats(1e-3, 1e3), st.sampled_from(["profile", "geometric_mean"]))
def test_the_unit_of_a_workload_changes_nothing(
    costs: list[list[float | None]], factor: float, aggregate: str
) -> None:
    terms = UNIT._replace(aggregate=aggregate)  # type: ignore[arg-type]
    other = terms._replace(reference_logs=(math.log(factor), 0.0, 0.0))
    for cost in costs:
        scaled = [cost[0] and cost[0] * factor, *cost[1:]]
        assert utility(row(scaled), other) == pytest.approx(utility(row(cost), terms), abs=1e-9)


@given(ROWS, st.permutations([0, 1, 2]))
def test_the_order_of_the_workloads_changes_nothing(
    costs: list[float | None], order: list[int]
) -> None:
    units = (0.3, -0.2, 1.0)
    terms = AggregationSpec(units)
    turned = AggregationSpec(tuple(units[i] for i in order))
    value = utility(row([costs[i] for i in order]), turned)
    assert value == pytest.approx(utility(row(costs), terms))


@given(st.lists(st.lists(COSTS, min_size=3, max_size=3), min_size=2, max_size=5), st.randoms())
def test_order_and_names_of_the_rows_change_no_place(
    costs: list[list[float]], random: "np.random.Generator"
) -> None:
    rows: list[Row] = [row(cost) for cost in costs]
    names = [f"entry {i}" for i in range(len(rows))]
    there = rank_rows(rows, names, UNIT, 0.05)
    turn = list(range(len(rows)))
    random.shuffle(turn)
    back = rank_rows([rows[i] for i in turn], [names[i] for i in turn], UNIT, 0.05)
    assert [names[i] for i in there.order] == [names[turn[i]] for i in back.order]
    assert there.places == back.places


@given(TABLES, st.data())
def test_a_removed_row_changes_no_other_score_or_interval(
    costs: list[list[float | None]], data: st.DataObject
) -> None:
    rows = [row(cost) for cost in costs]
    gone = data.draw(st.integers(0, len(rows) - 1))
    kept = [element for i, element in enumerate(rows) if i != gone]
    before = [score_interval(entry_, UNIT, 0.95) for i, entry_ in enumerate(rows) if i != gone]
    assert [score_interval(item, UNIT, 0.95) for item in kept] == before


@given(ROWS, st.integers(0, 2), st.floats(1.01, 100.0))
def test_a_lower_cost_never_hurts(costs: list[float | None], place: int, factor: float) -> None:
    better = list(costs)
    better[place] = 100.0 if costs[place] is None else (costs[place] or 1.0) / factor
    assert utility(row(better), UNIT) >= utility(row(costs), UNIT)


# --- intervals and tests --------------------------------------------------------------------------


def test_no_interval_has_zero_width() -> None:
    """Not by agreement, nor where everything is clipped or missing."""
    same: list[Sample | None] = [cell(1.0, 1.0, 1.0)] * 3
    for item in (same, row([1e-3] * 3), row([1e3] * 3), row([1e-3, None, None])):
        interval = score_interval(item, UNIT, 0.95)
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < interval.high
        assert interval.low <= interval.value <= interval.high


def test_a_single_run_has_a_score_and_no_ends() -> None:
    interval = score_interval([cell(1.0), *row([1.0, 1.0])], UNIT, 0.95)
    assert interval is not None
    assert (interval.low, interval.high) == (None, None)
    assert difference_of([cell(1.0)] * 3, row([2.0] * 3), UNIT).stderr is None
    assert difference_of([cell(1.0)] * 3, row([2.0] * 3), UNIT).p_differ == 1.0
    assert redrawn_ranks([[cell(1.0)] * 3, row([2.0] * 3)], UNIT) == [None, None]


def test_failed_runs_are_never_significantly_different() -> None:
    open_ended: Row = [cell(1.0, 1.1)._replace(open_ended=True)] * 3
    assert difference_of(open_ended, row([9.0] * 3), UNIT).p_differ == 1.0


def test_an_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    truth, inside, trials = (-0.2, 0.1, 0.4), 0, 1500
    right = sum(float(profile_gain(log)) for log in truth) / 3
    for _ in range(trials):
        drawn: Row = [
            Sample(dict(enumerate(rng.normal(mean, sd, 5))), SD_MIN)
            for mean, sd in zip(truth, (0.05, 0.1, 0.02), strict=True)
        ]
        interval = score_interval(drawn, UNIT, 0.95)
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        inside += interval.low <= right <= interval.high
    assert inside / trials == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("behind", [(0, 0), (0, 0, 0, 0, 0), (0, 0, 2, 2, 2)])
@pytest.mark.parametrize("missing", [False, True])
def test_equals_are_rarely_significantly_different(behind: tuple[int, ...], missing: bool) -> None:
    """Two equal; five equal; two equal and three far behind; with a workload that no row solves."""
    rng = np.random.default_rng(21)
    alpha, contests, wrong = 0.05, 400, 0
    for _ in range(contests):
        rows: list[Row] = [
            [
                None
                if missing and place == 2
                else Sample(dict(enumerate(rng.normal(lag, 0.05, 5), 10 * at)), SD_MIN)
                for place in range(3)
            ]
            for at, lag in enumerate(behind)
        ]
        rows.sort(key=lambda costs: -utility(costs, UNIT))
        raw = [difference_of(rows[0], other, UNIT).p_differ for other in rows[1:]]
        wrong += all(p < alpha for p in holm(raw))
    assert wrong / contests <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / contests)


def test_a_lead_of_the_detectable_size_is_detected_as_often_as_stated() -> None:
    rng = np.random.default_rng(22)
    sds, seen, contests = (0.05, 0.1, 0.02), 0, 500
    steps = [-1.0, 0.0, 1.0, -1.0, 1.0]

    def model(first: int) -> Row:
        return [Sample({s: sd * x for s, x in enumerate(steps, first)}, SD_MIN)
                for sd in sds]  # fmt: skip

    lead = difference_of(model(0), model(9), UNIT).minimum_detectable(0.05)
    assert lead is not None
    shift = lead * 2 * math.log(4.0)
    for _ in range(contests):
        a: Row = [Sample(dict(enumerate(rng.normal(0, sd, 5))), SD_MIN) for sd in sds]
        b: Row = [Sample(dict(enumerate(rng.normal(shift, sd, 5), 9)), SD_MIN) for sd in sds]
        seen += difference_of(a, b, UNIT).p_differ < 0.05
    assert seen / contests == pytest.approx(0.9, abs=0.06)


def test_interleaved_runs_are_compared_in_pairs() -> None:
    """The effect of the instance on both cancels in the difference."""
    easy = [1.0, 1.5, 0.7, 1.2, 0.9]

    def entry(factor: float, place: int) -> Row:
        logs = {seed: math.log(factor * item) for seed, item in enumerate(easy)}
        return [Sample(logs, SD_MIN, moments=moments(range(5), place))] * 3

    a, b = entry(1.0, 0), entry(1.02, 1)
    assert difference_of(a, b, UNIT).kind == "paired"
    assert difference_of(a, b, UNIT).p_differ < 0.001
    alone = [item and item._replace(moments=None) for item in b]
    assert difference_of(a, alone, UNIT).kind == "independent"
    assert difference_of(a, alone, UNIT).p_differ > 0.5


def test_a_missing_workload_is_a_fact_and_no_estimate() -> None:
    assert difference_of(row([1.0, 1.0, 1.0]), row([1.0, 1.0, None]), UNIT).p_differ < 1e-3
    mean = UNIT._replace(aggregate="geometric_mean")
    assert difference_of(row([1.0, 1.0, 1.0]), row([1.0, 1.0, None]), mean).p_differ == 0.0
    assert difference_of(row([None] * 3), row([1.0, 1.0, None]), mean).p_differ == 1.0


def test_the_seeds_that_would_settle_a_lead_do() -> None:
    def entry(count: int, lag: float, first: int) -> Row:
        swing = [0.05 * (-1) ** i for i in range(count)]
        return [Sample({first + i: lag + x for i, x in enumerate(swing)}, SD_MIN)] * 3

    few = (entry(4, 0.0, 0), entry(4, 0.03, 100))
    needed = difference_of(*few, UNIT).seeds_to_settle(0.05)
    assert needed is not None
    assert needed > 4
    lead = difference_of(entry(needed, 0.0, 0), entry(needed, 0.03, 1000), UNIT).minimum_detectable(
        0.05
    )
    assert lead == pytest.approx(0.03 / (2 * math.log(4.0)), rel=0.15)
    assert difference_of(few[0], entry(4, 0.0, 100), UNIT).seeds_to_settle(0.05) is None


# --- places and sensitivity -----------------------------------------------------------------------


def test_chances_follow_the_lead() -> None:
    close = redrawn_ranks([row([1.0] * 3), row([1.01] * 3)], UNIT)
    far = redrawn_ranks([row([1.0] * 3), row([3.0] * 3)], UNIT)
    first, clear = close[0], far[0]
    assert first is not None
    assert clear is not None
    assert 0.5 < first.first < clear.first
    assert (clear.rank_low, clear.rank_high) == (1, 1)
    assert redrawn_ranks([], UNIT) == []


def test_the_leader_depends_on_one_workload_and_on_one_run() -> None:
    one: Row = [cell(1.0, 1.0), cell(1.0, 1.0), cell(0.1, 1.4)]
    two: Row = row([0.9, 0.9, 1.0])
    assert leader([one, two], UNIT) == 0
    assert leaders_without_a_workload([one, two], UNIT) == [0, 0, 1]
    assert (0, 2, 0, 1) in leaders_without_a_run([one, two], UNIT)
    assert mean_log(cell(1.0)) == 0.0
