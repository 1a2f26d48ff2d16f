"""Pairwise tests: the test that the runs allow, its p values, and the minimum difference."""

import math
import statistics
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score.stats import comparison
from harness.score.stats.comparison import differ_p, find_pairs, pairwise_test
from harness.score.stats.sample import (
    ReferenceRatios,
    RunMoment,
    Sample,
    normalized_to_reference,
)
from tests.lab.results import moments

costs = st.floats(1e-3, 1e6)
some_costs = st.lists(costs, min_size=2, max_size=12)


def sample(values: list[float], floor: float = 1e-3, first_seed: int = 0) -> Sample:
    return Sample({first_seed + i: math.log(v) for i, v in enumerate(values)}, floor)


def with_sd(n: int, sd: float, first_seed: int = 0) -> Sample:
    """A sample whose logarithms have exactly that standard deviation."""
    raw = [i - (n - 1) / 2 for i in range(n)]
    scale = sd / statistics.stdev(raw)
    return Sample({first_seed + i: value * scale for i, value in enumerate(raw)}, 0.0)


# --- the tests ------------------------------------------------------------------------------------


@given(some_costs, some_costs)
def test_entries_of_two_machines_are_compared_by_scipy_s_welch(
    a: list[float], b: list[float]
) -> None:
    logs_a, logs_b = np.log(a), np.log(b)
    assume(logs_a.std() > 1e-4 and logs_b.std() > 1e-4)
    expected = peers.ttest_ind(logs_a, logs_b, equal_var=False).pvalue
    assert differ_p(sample(a, 0.0), sample(b, 0.0, 100)) == pytest.approx(expected, abs=1e-8)


@given(st.lists(st.tuples(costs, costs), min_size=3, max_size=12))
def test_the_paired_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.log(column) for column in zip(*pairs, strict=True))
    assume(np.std(a - b) > 1e-4)
    expected = peers.ttest_rel(a, b, alternative="less").pvalue
    one, two = (
        sample(list(np.exp(logs)), 0.0)._replace(moments=moments(range(len(pairs)), place))
        for place, logs in enumerate((a, b))
    )
    assert pairwise_test(one, two).p_less == pytest.approx(expected, abs=1e-6)


def test_only_paired_or_independent_entries_are_tested() -> None:
    slow_machine = [1.0, 5.0, 1.1, 5.2]
    a = sample([cost * 0.9 for cost in slow_machine])._replace(moments=moments(range(4), 0))
    b = sample(slow_machine)._replace(moments=moments(range(4), 1))
    assert pairwise_test(a, b).kind == "paired"
    assert differ_p(a, b) < 0.001
    elsewhere = b._replace(moments=None)
    assert pairwise_test(a, elsewhere).kind == "independent"
    assert differ_p(a, elsewhere) > 0.1
    steps = [item._replace(machine_dependent=False) for item in (a, b)]
    assert pairwise_test(*steps).kind == "paired", "instances still pair what no machine changes"
    other_seeds = sample(slow_machine, first_seed=50)._replace(moments=moments(range(50, 54), 1))
    assert pairwise_test(a, other_seeds).kind == "not_comparable"
    assert pairwise_test(steps[0], other_seeds).kind == "independent"


def test_runs_that_are_not_adjacent_are_no_pairs() -> None:
    one, two = moments(range(4), 0), moments(range(4), 1)
    assert find_pairs(one, two) == find_pairs(two, one) == set(range(4))
    later = {seed: run._replace(started=f"9{run.started}") for seed, run in two.items()}
    at_once = {seed: run._replace(started=one[seed].started) for seed, run in two.items()}
    nameless = [{s: run._replace(block="") for s, run in side.items()} for side in (one, two)]
    # The last of the first entry and the first of the second are adjacent, but of other seeds.
    for first, second in ((one, later), (one, at_once), tuple(nameless), ({}, {})):
        assert not find_pairs(first, second)
    other_instance = two | {0: two[0]._replace(block="another")}
    assert find_pairs(one, other_instance) == {1, 2, 3}


@given(some_costs, some_costs, st.floats(1e-3, 1e3))
def test_a_unit_changes_no_comparison(a: list[float], b: list[float], unit: float) -> None:
    before = differ_p(sample(a), sample(b, first_seed=100))
    after = differ_p(sample([v * unit for v in a]), sample([v * unit for v in b], first_seed=100))
    assert after == pytest.approx(before, abs=1e-6)


@given(some_costs, some_costs)
def test_differing_is_symmetric(a: list[float], b: list[float]) -> None:
    one, two = sample(a), sample(b, first_seed=100)
    assert differ_p(one, two) == pytest.approx(differ_p(two, one))


def test_one_run_differs_from_nothing() -> None:
    assert differ_p(sample([1.0]), sample([50.0, 51.0], first_seed=9)) == 1.0
    assert differ_p(sample([1.0]), sample([50.0])) == 1.0


def test_an_entry_with_failures_is_never_shown_to_cost_less() -> None:
    cheap, dear = sample([1.0, 1.01, 1.02]), sample([9.0, 9.01, 9.02], first_seed=9)
    assert differ_p(cheap, dear) < 0.001
    assert differ_p(cheap._replace(open_ended=True), dear) == 1.0
    assert differ_p(cheap, dear._replace(open_ended=True)) < 0.001


# --- the minimum detectable difference ------------------------------------------------------------


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
def test_the_detectable_ratio_is_the_simulated_one(n: int, sd: float, published: float) -> None:
    """One-sided Welch, alpha 0.01, power 0.9; simulated independently (facts: leaderboards)."""
    lead = comparison.detectable_ratio(with_sd(n, sd), with_sd(n, sd, 99), 0.01)
    assert lead == pytest.approx(published, rel=0.03)


def test_the_detectable_ratio_has_the_power_it_states() -> None:
    n, sd, alpha = 5, 0.02, 0.01
    lead = comparison.detectable_ratio(with_sd(n, sd), with_sd(n, sd, 99), alpha)
    assert lead is not None
    rng = np.random.default_rng(1)
    a = rng.normal(0, sd, (4000, n))
    b = rng.normal(math.log1p(lead), sd, (4000, n))
    p = peers.ttest_ind(a, b, axis=1, equal_var=False, alternative="less").pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.02)


def test_the_paired_ratio_has_the_power_it_states() -> None:
    n, alpha = 6, 0.01
    rng = np.random.default_rng(2)
    a = with_sd(n, 0.02)._replace(moments=moments(range(n), 0))
    b = Sample(dict.fromkeys(range(n), 0.0), 1e-6, moments=moments(range(n), 1))
    lead = comparison.detectable_ratio(a, b, alpha)
    assert lead is not None
    differences = rng.normal(-math.log1p(lead), 0.02, (4000, n))
    p = peers.ttest_1samp(differences, 0, axis=1, alternative="less").pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.02)


def test_more_seeds_detect_smaller_differences() -> None:
    leads = [
        comparison.detectable_ratio(with_sd(n, 0.05), with_sd(n, 0.05, 99), 0.01)
        for n in (3, 6, 12)
    ]
    assert leads == sorted(leads, key=lambda lead: -(lead or 0))


def test_no_difference_is_detectable_where_nothing_is_known() -> None:
    assert comparison.detectable_ratio(sample([1.0]), sample([2.0, 2.1]), 0.01) is None
    assert comparison.detectable_ratio(with_sd(2, 3.0), with_sd(2, 3.0, 99), 0.001) is None


# --- which test -----------------------------------------------------------------------------------


def at(times: list[float], logs: list[float], block: str = "", first_seed: int = 0) -> Sample:
    """Runs that started at those seconds."""
    return Sample(
        {first_seed + i: log for i, log in enumerate(logs)},
        1e-6,
        moments={
            first_seed + i: RunMoment(f"{block} {i}" if block else "", f"{1000 + time:09.3f}")
            for i, time in enumerate(times)
        },
    )


def test_a_reference_of_several_contests_is_paired_with_all_entries() -> None:
    """It has more runs than those paired with one entry; an entry must pair all of its own."""
    entry = at([0, 20, 40, 60], [0.0, 0.3, 0.1, 0.2], "c")
    reference = at([10, 30, 50, 70, 100, 120], [0.1, 0.4, 0.2, 0.3, 5.0, 6.0], "c")
    for one, two in ((entry, reference), (reference, entry)):
        test = pairwise_test(one, two)
        assert test.kind == "paired"
        assert abs(test.difference) == pytest.approx(0.1)
    unpaired_run = at([0, 20, 40, 200], [0.0, 0.3, 0.1, 0.2], "c")
    assert pairwise_test(unpaired_run, reference).kind == "not_comparable"


def over_reference(sample_: Sample, unit: float, reference: str = "v1") -> Sample:
    """The same, paired with a reference that cost exp(unit)."""
    ratios = {seed: log - unit for seed, log in sample_.logs.items()}
    return sample_._replace(reference_ratios=ReferenceRatios(reference, ratios))


def test_the_state_of_the_machine_cancels_in_the_reference() -> None:
    """A session in which everything took twice as long makes no difference between equals."""
    a = over_reference(at([0, 1, 2], [0.0, 0.02, 0.01]), 0.5)
    b = over_reference(at([100, 101, 102], [0.7, 0.72, 0.71], first_seed=9), 1.2)
    test = pairwise_test(a, b)
    assert test.kind == "via_reference"
    assert test.difference == pytest.approx(0.0, abs=1e-12)
    cheaper = over_reference(at([100, 101, 102], [0.6, 0.62, 0.61], first_seed=9), 1.2)
    assert pairwise_test(cheaper, a).p_less < 0.01
    for other in (over_reference(b, 1.2, "v2"), b._replace(reference_ratios=None)):
        assert pairwise_test(a, other).kind == "not_comparable"
    missing = ReferenceRatios("v1", {9: 0.0, 10: 0.0})
    assert normalized_to_reference(b._replace(reference_ratios=missing)) is None


@pytest.mark.parametrize("order", ["one after the other", "in turn on other instances"])
def test_entries_that_are_not_paired_never_count_as_different(order: str) -> None:
    """0.547 s against 0.779 s was observed of one code, since other work had started."""
    logs = [0.0, 0.02, 0.01, 0.0, 0.03, 0.01, 0.02, 0.0]
    step = 1 if order == "one after the other" else 2
    a = at([step * i for i in range(8)], logs, "a")
    begin = 8 if step == 1 else 1
    b = at([begin + step * i for i in range(8)], [log + 5 for log in logs], "b", first_seed=50)
    assert pairwise_test(a, b).kind == "not_comparable"
    assert differ_p(a, b) == 1.0
    assert comparison.detectable_ratio(a, b, 0.025) is None
    assert comparison.seeds_to_settle(a, b, 5.0, 0.025) is None
    assert "not paired" in comparison.TEST_NAMES["not_comparable"]


# --- the rate of errors where the machine changes -------------------------------------------------

Load = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


def step_load(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """From some run on, other work makes everything slower, up to twice as slow."""
    load = np.zeros(count)
    load[rng.integers(1, count) :] = rng.uniform(0, math.log(2))
    return load


def slow_drift(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """AR(1) with a coefficient of 0.95: temperature, and other work that comes and goes."""
    load = np.empty(count)
    load[0] = rng.normal(0, 0.15)
    for i in range(1, count):
        load[i] = 0.95 * load[i - 1] + rng.normal(0, 0.15 * math.sqrt(1 - 0.95**2))
    return load


def of_runs(order: str, load: npt.NDArray[np.float64], rng: np.random.Generator) -> list[Sample]:
    """Equal entries A and B, and the reference R, in that order of runs, under that load."""
    noise = rng.normal(0, 0.05, len(order))
    interleaved = order.startswith("AB")
    samples = []
    for name in "ABR":
        places = [i for i, letter in enumerate(order) if letter == name]
        samples.append(at([float(i) for i in places], [float(load[i] + noise[i]) for i in places],
                          "s" if interleaved else "",
                          0 if interleaved else 1000 * "ABR".index(name)))  # fmt: skip
    if samples[2].logs:
        unit = list(samples[2].logs.values())
        for place in (0, 1):
            own = enumerate(samples[place].logs.items())
            ratios = {seed: log - unit[8 * place + i] for i, (seed, log) in own}
            samples[place] = samples[place]._replace(reference_ratios=ReferenceRatios("r", ratios))
    return samples[:2]


ORDERS = {
    "not_comparable": "A" * 8 + "B" * 8,
    "paired": "AB" * 8,
    "via_reference": "AR" * 8 + "BR" * 8,
}


@pytest.mark.parametrize("load", [step_load, slow_drift])
@pytest.mark.parametrize("kind", ORDERS)
def test_equals_rarely_differ_on_a_machine_that_changes(kind: str, load: Load) -> None:
    rng = np.random.default_rng(19)
    trials, alpha = 400, 0.05
    wrong = plain = 0
    for _ in range(trials):
        a, b = of_runs(ORDERS[kind], load(rng, len(ORDERS[kind])), rng)
        assert pairwise_test(a, b).kind == kind
        wrong += differ_p(a, b) < alpha
        alone = [item._replace(moments=None, reference_ratios=None) for item in (a, b)]
        plain += differ_p(*alone) < alpha
    assert wrong / trials <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / trials)
    if kind == "not_comparable":
        assert plain / trials > 0.3, "which is why the plain test is not used"
