"""Laws of the statistics, against scipy.stats, published figures and simulation."""

import math
import statistics
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score import stats
from harness.score.stats import Sample
from tests.lab.results import moments

costs = st.floats(1e-3, 1e6)
some_costs = st.lists(costs, min_size=2, max_size=12)


def sample(values: list[float], floor: float = 1e-3, first_seed: int = 0) -> Sample:
    return Sample({first_seed + i: math.log(v) for i, v in enumerate(values)}, floor)


def with_sd(n: int, sd: float, first_seed: int = 0) -> Sample:
    """A sample whose logarithms have exactly that standard deviation."""
    raw = [i - (n - 1) / 2 for i in range(n)]
    scale = sd / statistics.stdev(raw)
    return Sample({first_seed + i: each * scale for i, each in enumerate(raw)}, 0.0)


# --- intervals ------------------------------------------------------------------------------------


@given(some_costs)
def test_the_interval_is_that_of_scipy_on_logarithms(values: list[float]) -> None:
    logs = np.log(values)
    assume(np.std(logs, ddof=1) > 1e-5)
    interval = stats.log_t_interval(values, 0.95, 0.0)
    low, high = peers.t.interval(0.95, len(logs) - 1, logs.mean(), peers.sem(logs))
    assert interval.low == pytest.approx(math.exp(low), rel=1e-9)
    assert interval.high == pytest.approx(math.exp(high), rel=1e-9)
    assert interval.value == pytest.approx(peers.gmean(values), rel=1e-9)


@given(some_costs, st.floats(1e-3, 1e3))
def test_a_change_of_unit_scales_the_interval(values: list[float], unit: float) -> None:
    before = stats.log_t_interval(values, 0.95, 0.01)
    after = stats.log_t_interval([value * unit for value in values], 0.95, 0.01)
    assert after.value == pytest.approx(before.value * unit, rel=1e-9)
    assert after.low == pytest.approx((before.low or 0) * unit, rel=1e-6)
    assert after.high == pytest.approx((before.high or 0) * unit, rel=1e-6)


@given(costs, st.integers(2, 20), st.floats(0, 0.1))
def test_no_interval_has_zero_width(value: float, n: int, floor: float) -> None:
    interval = stats.log_t_interval([value] * n, 0.95, floor)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < interval.value < interval.high


@given(some_costs)
def test_the_spread_is_that_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.stdev(values)
    assert stats.sample_sd(values) == pytest.approx(expected, rel=1e-9, abs=1e-12 * max(values))


def test_one_run_has_open_ends() -> None:
    value, low, high = stats.log_t_interval([7.0], 0.95, 0.01)
    assert value == pytest.approx(7.0)
    assert (low, high) == (None, None)
    assert stats.mean_interval([0.5], 0.95, 0.01) == (0.5, None, None)


def test_a_cost_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="domain"):
        stats.log_t_interval([1.0, 0.0], 0.95, 0.01)


def test_the_floor_is_that_of_rounding_to_a_grid() -> None:
    rounded = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000)
    assert stats.step_sd(1.0) == pytest.approx(rounded.std(), rel=0.01)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_coverage_is_the_stated_one(n: int) -> None:
    """Log-normal costs, 4,000 experiments; the percentile bootstrap covers 74 % at n = 3."""
    logs = np.random.default_rng(n).normal(0, 0.05, (4000, n))
    mean, sd = logs.mean(1), logs.std(1, ddof=1)
    half = stats.t_quantile(0.975, n - 1) * sd / math.sqrt(n)
    first = stats.log_t_interval(np.exp(logs[0]), 0.95, 0.0)
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
    half = stats.t_quantile(0.975, n - 1) / math.sqrt(n)
    sd = rounded.std(1, ddof=1)
    floored = np.maximum(sd, stats.step_sd(grid) / np.exp(rounded.mean(1)))
    miss = np.abs(rounded.mean(1) - truth)
    assert np.mean(miss <= half * sd) < 0.75
    assert np.mean(miss <= half * floored) > 0.95


def test_the_cost_with_failures_is_all_that_was_spent_over_the_successes() -> None:
    interval = stats.success_cost([10.0, 12.0], [60.0], 0.95)
    assert interval.value == pytest.approx((10 + 12 + 60) / 2)
    assert interval.high is None
    assert interval.low is not None
    assert interval.low < 12


def test_no_success_is_no_cost() -> None:
    with pytest.raises((ValueError, statistics.StatisticsError)):
        stats.success_cost([], [60.0], 0.95)


# --- the target -----------------------------------------------------------------------------------


@given(st.lists(st.floats(0.5, 0.99), min_size=3, max_size=12), st.floats(0.5, 0.99))
def test_the_target_test_is_that_of_scipy(values: list[float], target: float) -> None:
    assume(statistics.stdev(values) > 1e-6)
    for better, side in (("higher", "greater"), ("lower", "less")):
        expected = peers.ttest_1samp(values, target, alternative=side).pvalue
        assert stats.target_p(values, target, better, 0.0) == pytest.approx(expected, abs=1e-9)


def test_a_spread_of_zero_beats_a_target_only_by_more_than_the_metric_resolves() -> None:
    floor = stats.metric_sd_floor("", 100, 0.9)
    clear = stats.target_p([0.91] * 8, 0.90, "higher", floor)
    equal = stats.target_p([0.90] * 8, 0.90, "higher", floor)
    below = stats.target_p([0.89] * 8, 0.90, "higher", floor)
    assert clear is not None
    assert clear < 0.01
    assert equal == pytest.approx(0.5)
    assert below is not None
    assert below > 0.99


def test_two_seeds_on_the_first_step_above_the_target_prove_nothing() -> None:
    floor = stats.metric_sd_floor("", 100, 0.91)
    p = stats.target_p([0.901, 0.901], 0.90, "higher", floor)
    assert p is not None
    assert p > 0.01


def test_one_seed_proves_nothing() -> None:
    assert stats.target_p([0.99], 0.5, "higher", 0.001) is None


@given(st.lists(st.floats(0.5, 0.99), min_size=2, max_size=9), st.floats(0.5, 0.99))
def test_a_metric_in_per_cent_gives_the_same_p(values: list[float], target: float) -> None:
    mean = statistics.fmean(values)
    ratio = stats.target_p(values, target, "higher", stats.metric_sd_floor("", 50, mean))
    floor = stats.metric_sd_floor("%", 50, 100 * mean)
    percent = stats.target_p([100 * v for v in values], 100 * target, "higher", floor)
    assert percent == pytest.approx(ratio, abs=1e-9)


def test_a_metric_in_nats_has_no_steps() -> None:
    assert stats.metric_sd_floor("nat", 100, 1.2) < 1e-6
    assert stats.metric_sd_floor("", 100, 0.9) == pytest.approx(0.01 / math.sqrt(12))


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
    assert stats.passes(value, 0.9, better) is expected


# --- comparisons ----------------------------------------------------------------------------------


@given(some_costs, some_costs)
def test_welch_is_that_of_scipy(a: list[float], b: list[float]) -> None:
    logs_a, logs_b = np.log(a), np.log(b)
    assume(logs_a.std() > 1e-4 and logs_b.std() > 1e-4)
    expected = peers.ttest_ind(logs_a, logs_b, equal_var=False, alternative="less").pvalue
    found = stats.welch_p(sample(a, 0.0), sample(b, 0.0, 100))
    assert found == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.tuples(costs, costs), min_size=3, max_size=12))
def test_the_paired_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.log(column) for column in zip(*pairs, strict=True))
    assume(np.std(a - b) > 1e-4)
    expected = peers.ttest_rel(a, b, alternative="less").pvalue
    found = stats.paired_p(sample(list(np.exp(a)), 0.0), sample(list(np.exp(b)), 0.0))
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_same_seeds_are_compared_in_pairs() -> None:
    slow_machine = [1.0, 5.0, 1.1, 5.2]
    a = sample([each * 0.9 for each in slow_machine])._replace(moments=moments(range(4), 0))
    b = sample(slow_machine)._replace(moments=moments(range(4), 1))
    assert stats.cheaper_p(a, b) < 0.001
    assert "paired" in stats.comparison_text(a, b)
    other_seeds = sample(slow_machine, first_seed=50)
    for other in (other_seeds, b._replace(moments=None)):
        assert stats.cheaper_p(a, other) > 0.1
        assert "Welch" in stats.comparison_text(a, other)


def test_runs_that_did_not_alternate_are_no_pairs() -> None:
    one, two = moments(range(4), 0), moments(range(4), 1)
    assert stats.alternate(one, two)
    assert stats.alternate(two, one)
    later = {seed: each._replace(started=f"9{each.started}") for seed, each in two.items()}
    other_instance = two | {0: two[0]._replace(block="another")}
    at_once = {seed: each._replace(started=one[seed].started) for seed, each in two.items()}
    nameless = [{s: each._replace(block="") for s, each in side.items()} for side in (one, two)]
    for first, second in ((one, later), (one, other_instance), (one, at_once), tuple(nameless)):
        assert not stats.alternate(first, second)
    assert not stats.alternate({}, {})


@given(some_costs, some_costs, st.floats(1e-3, 1e3))
def test_a_unit_changes_no_comparison(a: list[float], b: list[float], unit: float) -> None:
    before = stats.differ_p(sample(a), sample(b, first_seed=100))
    after = stats.differ_p(
        sample([v * unit for v in a]), sample([v * unit for v in b], first_seed=100)
    )
    assert after == pytest.approx(before, abs=1e-6)


@given(some_costs, some_costs)
def test_differing_is_symmetric(a: list[float], b: list[float]) -> None:
    one, two = sample(a), sample(b, first_seed=100)
    assert stats.differ_p(one, two) == pytest.approx(stats.differ_p(two, one))


def test_one_run_differs_from_nothing() -> None:
    assert stats.differ_p(sample([1.0]), sample([50.0, 51.0], first_seed=9)) == 1.0
    assert stats.paired_p(sample([1.0]), sample([50.0])) == 1.0


def test_failures_can_never_be_shown_to_cost_less() -> None:
    cheap = sample([1.0, 1.01, 1.02])
    gambler = cheap._replace(open_ended=True)
    dear = sample([9.0, 9.01, 9.02], first_seed=9)
    assert stats.cheaper_p(cheap, dear) < 0.001
    assert stats.cheaper_p(gambler, dear) == 1.0
    assert stats.cheaper_p(dear, gambler) > 0.99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_its_definition(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)
    ranked = sorted(p_values)
    for p, found in zip(p_values, adjusted, strict=True):
        steps = [(len(ranked) - k) * q for k, q in enumerate(ranked) if q <= p]
        assert found == pytest.approx(min(1.0, max(steps)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_and_the_bonferroni_value(p_values: list[float]) -> None:
    for p, found in zip(p_values, stats.holm(p_values), strict=True):
        assert p <= found <= 1 or found == 1
        assert found <= max(len(p_values) * p, *p_values) + 1e-12


# --- the lead that could have been seen -----------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "sd", "published"),
    [
        (3, 0.01, 0.060),
        (5, 0.01, 0.030),
        (10, 0.01, 0.018),
        (3, 0.03, 0.19),
        (5, 0.03, 0.092),
        (10, 0.03, 0.055),
    ],
)
def test_the_resolvable_lead_is_the_simulated_one(n: int, sd: float, published: float) -> None:
    """One-sided Welch, alpha 0.01, power 0.9; simulated independently (facts: leaderboards)."""
    lead = stats.resolvable_ratio(with_sd(n, sd), with_sd(n, sd, 99), 0.01)
    assert lead == pytest.approx(published, rel=0.03)


def test_the_resolvable_lead_has_the_power_it_states() -> None:
    n, sd, alpha = 5, 0.02, 0.01
    lead = stats.resolvable_ratio(with_sd(n, sd), with_sd(n, sd, 99), alpha)
    assert lead is not None
    rng = np.random.default_rng(1)
    a = rng.normal(0, sd, (4000, n))
    b = rng.normal(math.log1p(lead), sd, (4000, n))
    p = peers.ttest_ind(a, b, axis=1, equal_var=False, alternative="less").pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.02)


def test_the_paired_lead_has_the_power_it_states() -> None:
    n, alpha = 6, 0.01
    rng = np.random.default_rng(2)
    a = with_sd(n, 0.02)._replace(moments=moments(range(n), 0))
    b = Sample(dict.fromkeys(range(n), 0.0), 1e-6, moments=moments(range(n), 1))
    lead = stats.resolvable_ratio(a, b, alpha)
    assert lead is not None
    differences = rng.normal(-math.log1p(lead), 0.02, (4000, n))
    p = peers.ttest_1samp(differences, 0, axis=1, alternative="less").pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.02)


def test_more_seeds_see_smaller_leads() -> None:
    leads = [
        stats.resolvable_ratio(with_sd(n, 0.05), with_sd(n, 0.05, 99), 0.01) for n in (3, 6, 12)
    ]
    assert leads == sorted(leads, key=lambda each: -(each or 0))


def test_no_lead_is_told_where_nothing_is_known() -> None:
    assert stats.resolvable_ratio(sample([1.0]), sample([2.0, 2.1]), 0.01) is None
    assert stats.resolvable_ratio(with_sd(2, 3.0), with_sd(2, 3.0, 99), 0.001) is None


@given(
    st.lists(st.lists(st.floats(1.0, 3.0), min_size=1, max_size=4), max_size=5),
    st.sampled_from(["unknown", "alternate", "one after the other"]),
)
def test_all_pairs_at_once_are_the_pairs_one_by_one(costs: list[list[float]], order: str) -> None:
    samples = []
    for place, each in enumerate(costs):
        moment = {"unknown": None, "alternate": moments(range(len(each)), place),
                  "one after the other": moments(range(len(each)), 100 * place)}[order]  # fmt: skip
        samples.append(sample(each)._replace(moments=moment, open_ended=len(each) == 4))
    one_by_one = [stats.differ_p(a, b) for a, b in combinations(samples, 2)]
    assert stats.differ_ps(samples) == one_by_one
