"""All pairs of a board at once: what each pair by itself says, and what scipy says of it."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as peers

from harness.score import pairs
from harness.score.contrast import contrast, differ_p
from harness.score.stats import Moment, Relative, Sample
from tests.lab.results import moments

ORDERS = ["unknown", "alternate", "one after the other", "at once", "two series", "some unknown"]

logs_of_runs = st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=5)
entries = st.tuples(
    logs_of_runs,
    st.sampled_from(ORDERS),
    st.sampled_from([0.0, 0.1, math.log(2), math.inf]),
    st.sampled_from(["", "", "v1", "v2"]),
    st.booleans(),
)


def moments_of(count: int, place: int, order: str) -> dict[int, Moment] | None:
    """When the runs of the entry at a place of the board began."""
    spread = range(count)
    if order == "unknown":
        return None
    if order == "alternate":
        return moments(spread, place)
    if order == "two series":
        return {seed: Moment("", f"{1000 * (seed % 2) + 10 * place + seed:06d}") for seed in spread}
    if order == "at once":
        return {seed: Moment(f"block {seed}", "000500") for seed in spread}
    if order == "some unknown":
        return {seed: Moment("", f"{place:06d}" if seed else "") for seed in spread}
    return moments(spread, 100 * place)


def entry(
    place: int, logs: list[float], order: str, drift: float, reference: str, *, failed: bool
) -> Sample:
    by_seed = dict(enumerate(logs))
    ratios = {seed: log - 0.1 * place for seed, log in by_seed.items()}
    return Sample(
        by_seed,
        1e-4,
        open_ended=failed,
        moments=moments_of(len(logs), place, order),
        relative=Relative(reference, ratios) if reference else None,
        drift=drift,
    )


def one_by_one(samples: list[Sample]) -> list[tuple[float, bool]]:
    return [(differ_p(a, b), contrast(a, b).difference < 0) for a, b in combinations(samples, 2)]


@settings(max_examples=150)
@given(st.lists(entries, max_size=7))
def test_all_pairs_at_once_are_the_pairs_one_by_one(
    drawn: list[tuple[list[float], str, float, str, bool]],
) -> None:
    samples = [entry(at, *item[:4], failed=item[4]) for at, item in enumerate(drawn)]
    found = pairs.differences(samples)
    assert list(zip(found.p.tolist(), found.first_lower.tolist(), strict=True)) == one_by_one(
        samples
    )
    assert pairs.differ_ps(samples) == found.p.tolist()


def test_batches_of_pairs_leave_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    samples = [
        entry(at, rng.normal(0, 0.1, 4).tolist(), ORDERS[at % 4], 0.1, "", failed=at == 5)
        for at in range(24)
    ]
    whole = pairs.differ_ps(samples)
    monkeypatch.setattr(pairs, "_BLOCK", 7)
    assert pairs.differ_ps(samples) == whole == [p for p, _ in one_by_one(samples)]


@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_pairs_of_different_hours_are_the_tests_of_scipy(drift: float) -> None:
    """Welch's test, to 1e-12; what the hour is granted moves the mean towards the other's."""
    rng = np.random.default_rng(4)
    logs = [rng.normal(rng.normal(0, 0.1), rng.uniform(0.01, 0.3), rng.integers(2, 12))
            for _ in range(40)]  # fmt: skip
    samples = [
        Sample(dict(enumerate(item.tolist())), 1e-9, drift=drift,
               moments=moments(range(len(item)), 100 * at))
        for at, item in enumerate(logs)
    ]  # fmt: skip
    found = pairs.differ_ps(samples)
    for p, (one, two) in zip(found, combinations(logs, 2), strict=True):
        lower, dearer = sorted((one, two), key=np.mean)
        nearer = peers.ttest_ind(lower + drift, dearer, equal_var=False, alternative="less").pvalue
        assert p == pytest.approx(min(1.0, 2 * nearer), rel=0, abs=1e-12)


@given(st.integers(2, 60))
def test_the_number_of_a_pair_is_its_place_among_all(count: int) -> None:
    expected = list(combinations(range(count), 2))
    one, two = pairs.places_of(np.arange(len(expected)), count)
    assert list(zip(one.tolist(), two.tolist(), strict=True)) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_a_board_without_two_entries_has_no_pair(count: int) -> None:
    samples = [entry(at, [0.0, 0.1], "unknown", 0.0, "", failed=False) for at in range(count)]
    found = pairs.differences(samples)
    assert found.p.tolist() == found.first_lower.tolist() == []
    assert list(pairs.under(0.5, found, found.p, count)) == []
