"""All pairs of a board at once: the same tests as one by one, and as scipy's."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score.stats import all_pairs
from harness.score.stats.all_pairs import all_comparable, pairwise_tests
from harness.score.stats.comparison import differ_p, pairwise_test
from harness.score.stats.sample import ReferenceRatios, RunMoment, Sample
from tests.lab.results import moments

ORDERS = ["unknown", "alternate", "one after the other", "at once", "some unknown"]

logs_of_runs = st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=5)
entries = st.tuples(
    logs_of_runs,
    st.sampled_from(ORDERS),
    st.sampled_from(["", "", "v1", "v2"]),
    st.booleans(),
    st.booleans(),
)


def moments_of(count: int, place: int, order: str) -> dict[int, RunMoment] | None:
    """When the runs of the entry at a place of the board started."""
    seeds = range(count)
    if order == "unknown":
        return None
    if order == "alternate":
        return moments(seeds, place)
    if order == "at once":
        return {seed: RunMoment(f"block {seed}", "000500") for seed in seeds}
    if order == "some unknown":
        return {seed: RunMoment("", f"{place:06d}" if seed else "") for seed in seeds}
    return moments(seeds, 100 * place)


def entry(place: int, logs: list[float], order: str, reference: str, *flags: bool) -> Sample:
    by_seed = dict(enumerate(logs))
    ratios = {seed: log - 0.1 * place for seed, log in by_seed.items()}
    failed, dependent = flags
    return Sample(
        by_seed,
        1e-4,
        open_ended=failed,
        moments=moments_of(len(logs), place, order),
        reference_ratios=ReferenceRatios(reference, ratios) if reference else None,
        machine_dependent=dependent,
    )


@settings(max_examples=150)
@given(st.lists(entries, max_size=7))
def test_all_pairs_at_once_are_the_pairs_one_by_one(
    drawn: list[tuple[list[float], str, str, bool, bool]],
) -> None:
    samples = [entry(at, *item) for at, item in enumerate(drawn)]
    tests = pairwise_tests(samples)
    pairs = list(combinations(range(len(samples)), 2))
    assert list(zip(tests.i.tolist(), tests.j.tolist(), strict=True)) == pairs
    alone = [pairwise_test(samples[i], samples[j]) for i, j in pairs]
    expected = [differ_p(samples[i], samples[j]) for i, j in pairs]
    np.testing.assert_allclose(tests.p, expected, rtol=1e-9, atol=0)
    assert tests.first_lower.tolist() == [test.difference < 0 for test in alone]
    kinds = [test.kind != "not_comparable" for test in alone]
    assert tests.comparable.tolist() == kinds
    assert all_comparable(samples) is all(kinds)


def test_blocks_of_pairs_leave_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    samples = [
        entry(at, rng.normal(0, 0.1, 4).tolist(), ORDERS[at % 4], "", at == 5, True)
        for at in range(24)
    ]
    whole = pairwise_tests(samples)
    monkeypatch.setattr(all_pairs, "BLOCK", 7)
    for one, two in zip(whole, pairwise_tests(samples), strict=True):
        np.testing.assert_array_equal(one, two)


def test_independent_pairs_are_the_tests_of_scipy() -> None:
    rng = np.random.default_rng(4)
    logs = [rng.normal(rng.normal(0, 0.1), rng.uniform(0.01, 0.3), rng.integers(2, 12))
            for _ in range(40)]  # fmt: skip
    p = pairwise_tests([Sample(dict(enumerate(item.tolist())), 1e-9) for item in logs]).p
    expected = [peers.ttest_ind(a, b, equal_var=False).pvalue for a, b in combinations(logs, 2)]
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_a_board_without_two_entries_has_no_pair(count: int) -> None:
    samples = [Sample({0: 0.0, 1: 0.1}, 1e-4)] * count
    assert [len(column) for column in pairwise_tests(samples)] == [0] * 5
    assert all_comparable(samples)
