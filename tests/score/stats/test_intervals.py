"""Laws of the statistics, against scipy.stats, published figures and simulation."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score.stats import intervals
from harness.score.stats.sample import Sample, sample_sd

costs = st.floats(1e-3, 1e6)
some_costs = st.lists(costs, min_size=2, max_size=12)


def sample(values: list[float], floor: float = 1e-3, first_seed: int = 0) -> Sample:
    return Sample({first_seed + i: math.log(v) for i, v in enumerate(values)}, floor)


def with_sd(n: int, sd: float, first_seed: int = 0) -> Sample:
    """A sample whose logarithms have exactly that standard deviation."""
    raw = [i - (n - 1) / 2 for i in range(n)]
    scale = sd / statistics.stdev(raw)
    return Sample({first_seed + i: item * scale for i, item in enumerate(raw)}, 0.0)


# --- intervals ------------------------------------------------------------------------------------


@given(some_costs)
def test_the_interval_is_that_of_scipy_on_logarithms(values: list[float]) -> None:
    logs = np.log(values)
    assume(np.std(logs, ddof=1) > 1e-5)
    interval = intervals.log_t_interval(values, 0.95, 0.0)
    low, high = peers.t.interval(0.95, len(logs) - 1, logs.mean(), peers.sem(logs))
    assert interval.low == pytest.approx(math.exp(low), rel=1e-9)
    assert interval.high == pytest.approx(math.exp(high), rel=1e-9)
    assert interval.value == pytest.approx(peers.gmean(values), rel=1e-9)


def test_an_end_that_no_number_can_hold_is_open() -> None:
    interval = intervals.log_t_interval([1.0, 2.0, 3.0], 0.95, 1e4)
    assert (interval.low, interval.high) == (None, None)


@given(some_costs, st.floats(1e-3, 1e3))
def test_a_change_of_unit_scales_the_interval(values: list[float], unit: float) -> None:
    before = intervals.log_t_interval(values, 0.95, 0.01)
    after = intervals.log_t_interval([value * unit for value in values], 0.95, 0.01)
    assert after.value == pytest.approx(before.value * unit, rel=1e-9)
    assert after.low == pytest.approx((before.low or 0) * unit, rel=1e-6)
    assert after.high == pytest.approx((before.high or 0) * unit, rel=1e-6)


@given(costs, st.integers(2, 20), st.floats(0, 0.1))
def test_no_interval_has_zero_width(value: float, n: int, floor: float) -> None:
    interval = intervals.log_t_interval([value] * n, 0.95, floor)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < interval.value < interval.high


@given(some_costs)
def test_the_spread_is_that_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.stdev(values)
    assert sample_sd(values) == pytest.approx(expected, rel=1e-9, abs=1e-12 * max(values))


def test_one_run_has_open_ends() -> None:
    value, low, high = intervals.log_t_interval([7.0], 0.95, 0.01)
    assert value == pytest.approx(7.0)
    assert (low, high) == (None, None)
    assert intervals.mean_interval([0.5], 0.95, 0.01) == (0.5, None, None)


def test_a_cost_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="domain"):
        intervals.log_t_interval([1.0, 0.0], 0.95, 0.01)


def test_the_floor_is_that_of_rounding_to_a_grid() -> None:
    rounded = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000)
    assert intervals.step_sd(1.0) == pytest.approx(rounded.std(), rel=0.01)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_coverage_is_the_stated_one(n: int) -> None:
    """Log-normal costs, 4,000 experiments; the percentile bootstrap covers 74 % at n = 3."""
    logs = np.random.default_rng(n).normal(0, 0.05, (4000, n))
    mean, sd = logs.mean(1), logs.std(1, ddof=1)
    half = intervals.t_quantile(0.975, n - 1) * sd / math.sqrt(n)
    first = intervals.log_t_interval(np.exp(logs[0]), 0.95, 0.0)
    assert math.log(first.high or 0) == pytest.approx(mean[0] + half[0])
    assert np.mean(np.abs(mean) <= half) == pytest.approx(0.95, abs=0.015)


def test_coverage_holds_where_costs_are_rounded_to_a_grid() -> None:
    """Crossings fall on a grid of evaluations: without the floor whole series agree exactly.

    The spread is a fifth of the grid, so that most series of three agree; the interval must still
    hold the mean cost on the grid.
    """
    grid, n = 0.1, 3
    rng = np.random.default_rng(5)
    starts = rng.uniform(1, 2, 4000)
    raw = starts[:, None] + rng.normal(0, grid / 5, (4000, n))
    rounded = np.log(np.ceil(raw / grid) * grid)
    far = starts[:, None] + rng.normal(0, grid / 5, (4000, 400))
    truth = np.log(np.ceil(far / grid) * grid).mean(1)
    half = intervals.t_quantile(0.975, n - 1) / math.sqrt(n)
    sd = rounded.std(1, ddof=1)
    floored = np.maximum(sd, intervals.step_sd(grid) / np.exp(rounded.mean(1)))
    miss = np.abs(rounded.mean(1) - truth)
    assert np.mean(miss <= half * sd) < 0.75
    assert np.mean(miss <= half * floored) > 0.95


def test_the_cost_with_failures_is_all_that_was_spent_over_the_successes() -> None:
    interval = intervals.success_cost([10.0, 12.0], [60.0], 0.95)
    assert interval.value == pytest.approx((10 + 12 + 60) / 2)
    assert interval.high is None
    assert interval.low is not None
    assert interval.low < 12


def test_no_success_is_no_cost() -> None:
    with pytest.raises((ValueError, statistics.StatisticsError)):
        intervals.success_cost([], [60.0], 0.95)


# --- the target -----------------------------------------------------------------------------------


@given(st.lists(st.floats(0.5, 0.99), min_size=3, max_size=12), st.floats(0.5, 0.99))
def test_the_target_test_is_that_of_scipy(values: list[float], target: float) -> None:
    assume(statistics.stdev(values) > 1e-6)
    for better, side in (("higher", "greater"), ("lower", "less")):
        expected = peers.ttest_1samp(values, target, alternative=side).pvalue
        assert intervals.target_p(values, target, better, 0.0) == pytest.approx(expected, abs=1e-9)


def test_a_spread_of_zero_beats_a_target_only_by_more_than_the_metric_resolves() -> None:
    floor = intervals.metric_sd_floor("", 100, 0.9)
    clear = intervals.target_p([0.91] * 8, 0.90, "higher", floor)
    equal = intervals.target_p([0.90] * 8, 0.90, "higher", floor)
    below = intervals.target_p([0.89] * 8, 0.90, "higher", floor)
    assert clear is not None
    assert clear < 0.01
    assert equal == pytest.approx(0.5)
    assert below is not None
    assert below > 0.99


def test_two_seeds_on_the_first_step_above_the_target_prove_nothing() -> None:
    floor = intervals.metric_sd_floor("", 100, 0.91)
    p = intervals.target_p([0.901, 0.901], 0.90, "higher", floor)
    assert p is not None
    assert p > 0.01


def test_one_seed_proves_nothing() -> None:
    assert intervals.target_p([0.99], 0.5, "higher", 0.001) is None


@given(st.lists(st.floats(0.5, 0.99), min_size=2, max_size=9), st.floats(0.5, 0.99))
def test_a_metric_in_per_cent_gives_the_same_p(values: list[float], target: float) -> None:
    mean = statistics.fmean(values)
    ratio = intervals.target_p(values, target, "higher", intervals.metric_sd_floor("", 50, mean))
    floor = intervals.metric_sd_floor("%", 50, 100 * mean)
    percent = intervals.target_p([100 * v for v in values], 100 * target, "higher", floor)
    assert percent == pytest.approx(ratio, abs=1e-9)


def test_a_metric_in_nats_has_no_steps() -> None:
    assert intervals.metric_sd_floor("nat", 100, 1.2) < 1e-6
    assert intervals.metric_sd_floor("", 100, 0.9) == pytest.approx(0.01 / math.sqrt(12))


@pytest.mark.parametrize(
    ("value", "better", "expected"),
    [
        (0.9, "higher", True),
        (0.8999, "higher", False),
        (0.9, "lower", True),
        (0.9001, "lower", False),
        (None, "higher", False),
        (None, "lower", False),
        (math.nan, "higher", False),
        (math.nan, "lower", False),
    ],
)
def test_only_a_number_passes(value: float | None, better: str, expected: bool) -> None:
    assert intervals.passes(value, 0.9, better) is expected


# --- comparisons ----------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_its_definition(p_values: list[float]) -> None:
    adjusted = intervals.holm(p_values)
    ranked = sorted(p_values)
    for p, value in zip(p_values, adjusted, strict=True):
        steps = [(len(ranked) - k) * q for k, q in enumerate(ranked) if q <= p]
        assert value == pytest.approx(min(1.0, max(steps)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_and_the_bonferroni_value(p_values: list[float]) -> None:
    for p, value in zip(p_values, intervals.holm(p_values), strict=True):
        assert p <= value <= 1 or value == 1
        assert value <= max(len(p_values) * p, *p_values) + 1e-12
