"""Two entries held against each other: what the hour does to both falls out, or is granted."""

import math
import statistics
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score import contrast
from harness.score.stats import Moment, Relative, Sample
from tests.lab.results import moments

costs = st.floats(1e-3, 1e6)
some_costs = st.lists(costs, min_size=2, max_size=12)


def sample(values: list[float], floor: float = 1e-3, first_seed: int = 0) -> Sample:
    return Sample({first_seed + i: math.log(v) for i, v in enumerate(values)}, floor)


def with_sd(n: int, sd: float, first_seed: int = 0) -> Sample:
    """A sample whose logarithms have exactly that standard deviation."""
    raw = [i - (n - 1) / 2 for i in range(n)]
    scale = sd / statistics.stdev(raw)
    return Sample({first_seed + i: item * scale for i, item in enumerate(raw)}, 0.0)


# --- the tests ------------------------------------------------------------------------------------


@given(some_costs, some_costs)
def test_runs_of_two_machines_are_compared_by_scipy_s_welch(a: list[float], b: list[float]) -> None:
    logs_a, logs_b = np.log(a), np.log(b)
    assume(logs_a.std() > 1e-4 and logs_b.std() > 1e-4)
    expected = peers.ttest_ind(logs_a, logs_b, equal_var=False).pvalue
    found = contrast.differ_p(sample(a, 0.0), sample(b, 0.0, 100))
    assert found == pytest.approx(expected, abs=1e-8)


@given(st.lists(st.tuples(costs, costs), min_size=3, max_size=12))
def test_the_paired_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.log(column) for column in zip(*pairs, strict=True))
    assume(np.std(a - b) > 1e-4)
    expected = peers.ttest_rel(a, b, alternative="less").pvalue
    one, two = (
        sample(list(np.exp(item)), 0.0)._replace(moments=moments(range(len(pairs)), place))
        for place, item in enumerate((a, b))
    )
    assert contrast.cheaper_p(one, two) == pytest.approx(expected, abs=1e-6)


def test_the_same_seeds_are_compared_in_pairs() -> None:
    slow_machine = [1.0, 5.0, 1.1, 5.2]
    a = sample([item * 0.9 for item in slow_machine])._replace(moments=moments(range(4), 0))
    b = sample(slow_machine)._replace(moments=moments(range(4), 1))
    assert contrast.cheaper_p(a, b) < 0.001
    assert "paired" in contrast.comparison_text(a, b)
    other_seeds = sample(slow_machine, first_seed=50)
    for other in (other_seeds, b._replace(moments=None)):
        assert contrast.cheaper_p(a, other) > 0.1
        assert "Welch" in contrast.comparison_text(a, other)


def test_runs_that_did_not_alternate_are_no_pairs() -> None:
    one, two = moments(range(4), 0), moments(range(4), 1)
    assert contrast.alternate(one, two)
    assert contrast.alternate(two, one)
    later = {seed: element._replace(started=f"9{element.started}") for seed, element in two.items()}
    other_instance = two | {0: two[0]._replace(block="another")}
    at_once = {seed: entry_._replace(started=one[seed].started) for seed, entry_ in two.items()}
    nameless = [{s: item._replace(block="") for s, item in side.items()} for side in (one, two)]
    for first, second in ((one, later), (one, other_instance), (one, at_once), tuple(nameless)):
        assert not contrast.alternate(first, second)
    assert not contrast.alternate({}, {})


@given(some_costs, some_costs, st.floats(1e-3, 1e3))
def test_a_unit_changes_no_comparison(a: list[float], b: list[float], unit: float) -> None:
    before = contrast.differ_p(sample(a), sample(b, first_seed=100))
    after = contrast.differ_p(
        sample([v * unit for v in a]), sample([v * unit for v in b], first_seed=100)
    )
    assert after == pytest.approx(before, abs=1e-6)


@given(some_costs, some_costs)
def test_differing_is_symmetric(a: list[float], b: list[float]) -> None:
    one, two = sample(a), sample(b, first_seed=100)
    assert contrast.differ_p(one, two) == pytest.approx(contrast.differ_p(two, one))


def test_one_run_differs_from_nothing() -> None:
    assert contrast.differ_p(sample([1.0]), sample([50.0, 51.0], first_seed=9)) == 1.0
    assert contrast.differ_p(sample([1.0]), sample([50.0])) == 1.0


def test_failures_can_never_be_shown_to_cost_less() -> None:
    cheap = sample([1.0, 1.01, 1.02])
    gambler = cheap._replace(open_ended=True)
    dear = sample([9.0, 9.01, 9.02], first_seed=9)
    assert contrast.cheaper_p(cheap, dear) < 0.001
    assert contrast.cheaper_p(gambler, dear) == 1.0
    assert contrast.cheaper_p(dear, gambler) > 0.99


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
    lead = contrast.resolvable_ratio(with_sd(n, sd), with_sd(n, sd, 99), 0.01)
    assert lead == pytest.approx(published, rel=0.03)


def test_the_resolvable_lead_has_the_power_it_states() -> None:
    n, sd, alpha = 5, 0.02, 0.01
    lead = contrast.resolvable_ratio(with_sd(n, sd), with_sd(n, sd, 99), alpha)
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
    lead = contrast.resolvable_ratio(a, b, alpha)
    assert lead is not None
    differences = rng.normal(-math.log1p(lead), 0.02, (4000, n))
    p = peers.ttest_1samp(differences, 0, axis=1, alternative="less").pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.02)


def test_more_seeds_see_smaller_leads() -> None:
    leads = [
        contrast.resolvable_ratio(with_sd(n, 0.05), with_sd(n, 0.05, 99), 0.01) for n in (3, 6, 12)
    ]
    assert leads == sorted(leads, key=lambda each: -(each or 0))


def test_no_lead_is_told_where_nothing_is_known() -> None:
    assert contrast.resolvable_ratio(sample([1.0]), sample([2.0, 2.1]), 0.01) is None
    assert contrast.resolvable_ratio(with_sd(2, 3.0), with_sd(2, 3.0, 99), 0.001) is None


# --- which runs belong together -------------------------------------------------------------------


def at(times: list[float], logs: list[float], block: str = "", first_seed: int = 0) -> Sample:
    """Runs that began at those seconds."""
    return Sample(
        {first_seed + i: log for i, log in enumerate(logs)},
        1e-6,
        moments={
            first_seed + i: Moment(f"{block} {i}" if block else "", f"{1000 + item:09.3f}")
            for i, item in enumerate(times)
        },
        drift=math.log(2),
    )


def test_a_reference_of_several_contests_is_paired_with_each_entry() -> None:
    """It has more runs than those that it ran with one entry; an entry may leave none out."""
    entry = at([0, 20, 40, 60], [0.0, 0.3, 0.1, 0.2], "c")
    reference = at([10, 30, 50, 70, 100, 120], [0.1, 0.4, 0.2, 0.3, 5.0, 6.0], "c")
    for one, two in ((entry, reference), (reference, entry)):
        found = contrast.contrast(one, two)
        assert found.kind == "paired"
        assert abs(found.difference) == pytest.approx(0.1)
    left_out = at([0, 20, 40, 200], [0.0, 0.3, 0.1, 0.2], "c")
    assert contrast.contrast(left_out, reference).kind != "paired"


def test_series_are_runs_without_one_of_the_other_between() -> None:
    a = at([0, 1, 2, 20, 21], [0.0, 1.0, 2.0, 5.0, 7.0])
    b = at([10, 11, 30], [1.0, 3.0, 9.0], first_seed=50)
    assert contrast.series_means(a, b) == ([1.0, 6.0], [2.0, 9.0])
    found = contrast.contrast(a, b)
    assert (found.kind, [n for _, n in found.parts]) == ("series", [2, 2])
    assert found.difference == pytest.approx(3.5 - 5.5)
    unknown = b._replace(moments={50: Moment("", ""), 51: Moment("", "1"), 52: Moment("", "2")})
    assert contrast.series_means(a, unknown) is None
    assert contrast.contrast(a, unknown).kind == "apart"


def test_runs_in_turn_on_seeds_of_their_own_are_compared_by_plain_welch() -> None:
    """A series of one run is a run."""
    a = at([0, 20, 40, 60], [0.0, 0.03, 0.01, 0.02])
    b = at([10, 30, 50, 70], [0.1, 0.14, 0.12, 0.13], first_seed=9)
    found = contrast.contrast(a, b)
    expected = peers.ttest_ind(list(a.logs.values()), list(b.logs.values()), equal_var=False)
    assert (found.kind, found.allowance) == ("series", 0.0)
    assert contrast.differ_p(a, b) == pytest.approx(expected.pvalue, rel=1e-6)


def bridged(sample_: Sample, unit: float, reference: str = "v1") -> Sample:
    """The same, beside a reference that took exp(unit) in that hour."""
    ratios = {seed: log - unit for seed, log in sample_.logs.items()}
    return sample_._replace(relative=Relative(reference, ratios))


def test_the_reference_bridges_hours() -> None:
    """An hour in which everything took twice as long makes no difference between equals."""
    a = bridged(at([0, 1, 2], [0.0, 0.02, 0.01]), 0.5)
    b = bridged(at([100, 101, 102], [0.7, 0.72, 0.71], first_seed=9), 1.2)
    found = contrast.contrast(a, b)
    assert found.kind == "bridged"
    assert found.difference == pytest.approx(0.0, abs=1e-12)
    cheaper = bridged(at([100, 101, 102], [0.6, 0.62, 0.61], first_seed=9), 1.2)
    assert contrast.cheaper_p(cheaper, a) < 0.01
    for other in (bridged(b, 1.2, "v2"), b._replace(relative=None)):
        assert contrast.contrast(a, other).kind == "apart"
    lacking = Relative("v1", {9: 0.0, 10: 0.0})
    assert contrast.in_multiples(b._replace(relative=lacking)) is None


@pytest.mark.parametrize(("ratio", "apart"), [(1.4, False), (1.99, False), (2.2, True), (3, True)])
def test_without_turns_only_what_no_hour_explains_is_told_apart(ratio: float, apart: bool) -> None:
    """0.547 s against 0.779 s was seen of one code, as other work came in between."""
    logs = [0.0, 0.02, 0.01, 0.0, 0.03, 0.01, 0.02, 0.0]
    a = at(list(range(8)), logs)
    b = at(list(range(100, 108)), [log + math.log(ratio) for log in logs], first_seed=50)
    assert (contrast.differ_p(a, b) < 0.05) is apart
    assert "their runs did not alternate" in contrast.comparison_text(a, b)
    lead = contrast.resolvable_ratio(a, b, 0.025)
    assert lead is not None
    assert lead > 1.0, "no smaller lead than a factor of two can be seen"
    needed = contrast.seeds_to_settle(a, b, math.log(ratio), 0.025)
    assert (needed is None) is (ratio < 2)
    steady = [item._replace(drift=0.0) for item in (a, b)]
    assert contrast.differ_p(*steady) < 0.05, "a machine that is declared steady"


def test_where_no_factor_is_known_nothing_is_told_apart() -> None:
    a = at([0, 1, 2], [-0.9, -0.91, -0.92])._replace(drift=math.inf)
    b = at([10, 11, 12], [-0.1, -0.11, -0.12], first_seed=9)._replace(drift=math.inf)
    assert contrast.differ_p(a, b) == 1.0
    assert contrast.resolvable_ratio(a, b, 0.05) is None
    assert contrast.seeds_to_settle(a, b, 0.8, 0.05) is None
    assert contrast.allowance_ratio(math.inf) is None
    assert contrast.comparison_text(a, b).startswith("any test: ")


# --- the rate of errors where the machine changes -------------------------------------------------

Load = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


def step_load(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """From some run on, other work makes everything slower, up to twice as slow."""
    load = np.zeros(count)
    load[rng.integers(1, count) :] = rng.uniform(0, math.log(2))
    return load


def slow_drift(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """AR(1) with a coefficient of 0.95: warmth and neighbours that come and go."""
    load = np.empty(count)
    load[0] = rng.normal(0, 0.15)
    for i in range(1, count):
        load[i] = 0.95 * load[i - 1] + rng.normal(0, 0.15 * math.sqrt(1 - 0.95**2))
    return load


def of_runs(order: str, load: npt.NDArray[np.float64], rng: np.random.Generator) -> list[Sample]:
    """Entries that are equal, and the reference R, in that order of runs, under that load."""
    noise = rng.normal(0, 0.05, len(order))
    found = []
    for name in "ABR":
        places = [i for i, item in enumerate(order) if item == name]
        found.append(at([float(i) for i in places], [float(load[i] + noise[i]) for i in places],
                        first_seed=1000 * "ABR".index(name)))  # fmt: skip
    if found[2].logs:
        unit = list(found[2].logs.values())
        for place in (0, 1):
            own = enumerate(found[place].logs.items())
            ratios = {seed: log - unit[8 * place + i] for i, (seed, log) in own}
            found[place] = found[place]._replace(relative=Relative("r", ratios))
    return found[:2]


ORDERS = {
    "one after the other": "A" * 8 + "B" * 8,
    "in turn": "AB" * 8,
    "series in turn": "AAAABBBB" * 3,
    "each with the reference": "AR" * 8 + "BR" * 8,
}


@pytest.mark.parametrize("load", [step_load, slow_drift])
@pytest.mark.parametrize("order", ORDERS)
def test_equals_are_rarely_told_apart_on_a_machine_that_changes(order: str, load: Load) -> None:
    rng = np.random.default_rng(19)
    trials, alpha = 400, 0.05
    wrong = plain = 0
    for _ in range(trials):
        a, b = of_runs(ORDERS[order], load(rng, len(ORDERS[order])), rng)
        wrong += contrast.differ_p(a, b) < alpha
        alone = [item._replace(moments=None, relative=None) for item in (a, b)]
        plain += contrast.differ_p(*alone) < alpha
    assert wrong / trials <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / trials)
    if order == "one after the other":
        assert plain / trials > 0.3, "which is why the plain test is not taken"
