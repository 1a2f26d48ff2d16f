"""Chances of ranks and of the front are calibrated, and sensitivity names what turns an order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.score.stats import rank_stability
from harness.score.stats.comparison import pairwise_test
from harness.score.stats.rank_stability import (
    by_other_means,
    front,
    front_chances,
    in_one_unit,
    leader,
    mean_draws,
    rank_chances,
)
from harness.score.stats.sample import SD_MIN, ReferenceRatios, RunMoment, Sample


def sample(costs: list[float]) -> Sample:
    return Sample({seed: math.log(cost) for seed, cost in enumerate(costs)}, 1e-4)


CLOSE = [[10.0, 10.4, 9.8], [10.1, 10.3, 9.9], [20.0, 20.3, 19.8]]


def chances(costs: list[list[float]]) -> list[float]:
    result = rank_chances([sample(cost) for cost in costs])
    return [item.first for item in result if item is not None]


def test_somebody_is_first() -> None:
    first = chances(CLOSE)
    assert sum(first) == pytest.approx(1)
    assert first[2] < 0.02
    assert 0.2 < first[1] < 0.8


def test_the_rank_interval_holds_what_may_come() -> None:
    result = rank_chances([sample(item) for item in CLOSE])
    assert [(item.rank_low, item.rank_high) for item in result if item] == [(1, 2), (1, 2), (3, 3)]


def test_the_same_costs_give_the_same_chances() -> None:
    assert chances(CLOSE) == chances(CLOSE)


def test_the_chance_to_lead_agrees_with_the_one_sided_test() -> None:
    """Of two entries, P(not first) is p of Behrens and Fisher, a little above that of Welch."""
    a, b = sample([10.0, 10.4, 9.8, 10.2, 9.9]), sample([10.4, 10.9, 10.2, 10.6, 10.3])
    first = chances([[math.exp(v) for v in item.logs.values()] for item in (a, b)])
    p = pairwise_test(a, b).p_less
    assert p < 1 - first[0] < p + 0.03


@pytest.mark.parametrize("costs", [[[10.0], [11.0, 12.0]], []])
def test_a_single_run_leaves_chances_unknown(costs: list[list[float]]) -> None:
    assert rank_chances([sample(cost) for cost in costs]) == [None] * len(costs)
    assert front_chances([[(1.0, 1.0)]]) == [None]


def test_failures_leave_chances_unknown() -> None:
    gambler = sample([1.0, 1.1])._replace(open_ended=True)
    assert rank_chances([gambler, sample([5.0, 5.1])]) == [None, None]


# --- the front ------------------------------------------------------------------------------------

points = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8)


@given(points)
def test_a_point_is_on_the_front_exactly_if_nothing_beats_it(
    plane: list[tuple[float, float]],
) -> None:
    on = front(plane)
    assert any(on)
    for one, is_on in zip(plane, on, strict=True):
        beaten = any(o[0] <= one[0] and o[1] <= one[1] and o != one for o in plane)
        assert is_on is not beaten


def cloud(centre: tuple[float, float], rng: np.random.Generator) -> list[tuple[float, float]]:
    shared = rng.normal(0, 0.02, 6)
    return [(centre[0] * math.exp(s), centre[1] * math.exp(s)) for s in shared]


def test_chances_of_the_front() -> None:
    rng = np.random.default_rng(3)
    entries = [cloud(item, rng) for item in ((10, 100), (20, 50), (30, 200), (10, 100))]
    result = front_chances(entries)
    assert result[1] == pytest.approx(1.0, abs=0.01)
    assert result[2] == pytest.approx(0.0, abs=0.01)
    assert result[0] is not None
    assert result[3] is not None
    assert 0.05 < result[0] < 0.95, "twins beat each other about as often as not"


@given(
    st.permutations(range(1, 8)).flatmap(
        lambda xs: st.permutations(range(1, 8)).map(lambda ys: list(zip(xs, ys, strict=True)))
    )
)
def test_chances_of_points_far_apart_are_their_front(result: list[tuple[int, int]]) -> None:
    entries = [[(x * f, y * f) for f in (0.999, 1.0, 1.001)] for x, y in result]
    expected = [1.0 if on else 0.0 for on in front([(float(x), float(y)) for x, y in result])]
    assert front_chances(entries, draws=50) == pytest.approx(expected, abs=0.05)


def test_costs_that_go_together_are_drawn_together() -> None:
    """One entry needs 2 % more of both, with a common spread of 10 % from run to run."""
    base = [(10.0 * f, 100.0 * f) for f in (0.9, 1.0, 1.1, 0.95, 1.05)]
    worse = [(1.5 * t, 1.5 * e) for t, e in base]
    beaten = front_chances([base, worse])[1]
    assert beaten is not None
    assert beaten < 0.02


# --- sensitivity ----------------------------------------------------------------------------------


def test_the_lowest_geometric_mean_leads() -> None:
    lucky, steady = sample([10.0, 10.0, 5.0]), sample([9.0, 9.0, 9.0])
    assert leader([lucky.logs, steady.logs]) == 0


def test_a_clear_lead_hangs_on_nothing() -> None:
    entries = [sample([1.0, 1.1]), sample([9.0, 9.1])]
    assert by_other_means(entries) == []


def test_means_under_which_another_leads_are_named() -> None:
    even, uneven = sample([10.0, 10.0, 10.0]), sample([4.0, 11.0, 20.0])
    names = {by_other_mean.without for by_other_mean in by_other_means([even, uneven])}
    assert "the arithmetic mean" in names
    assert "the median" in names
    assert "the best run" not in names
    assert by_other_means([]) == []


# --- comparable entries ---------------------------------------------------------------------------

TWELVE, TEN = [12.0, 12.1, 11.9, 12.0], [10.0, 10.1, 9.9, 10.0]


def started(begin: int, costs: list[float], block: str = "") -> Sample:
    moments = {
        i: RunMoment(f"{block}{i}" if block else "", f"{begin + 2 * i:04d}")
        for i in range(len(costs))
    }
    return sample(costs)._replace(moments=moments)


def over_reference(entry: Sample, unit: float, sha256: str = "v1") -> Sample:
    ratios = {seed: log - math.log(unit) for seed, log in entry.logs.items()}
    return entry._replace(reference_ratios=ReferenceRatios(sha256, ratios))


def test_chances_are_unknown_where_entries_are_not_comparable() -> None:
    together = rank_chances([started(0, TEN, "s"), started(1, TWELVE, "s")])
    assert next(chance.first for chance in together if chance) > 0.99
    assert rank_chances([started(0, TEN, "s"), started(100, TWELVE, "s")]) == [None, None]


def test_chances_are_those_of_costs_over_the_reference() -> None:
    """The second took longer in a session in which the reference took twice as long."""
    entries = [over_reference(started(0, TEN), 10.0), over_reference(started(100, TWELVE), 20.0)]
    scaled = in_one_unit(entries)
    assert np.mean(list(scaled[0].logs.values())) > np.mean(list(scaled[1].logs.values()))
    chances = [chance.first for chance in rank_chances(entries) if chance]
    assert chances[1] > 0.99
    other = over_reference(started(100, TWELVE), 20.0, "v2")
    assert in_one_unit([entries[0], other]) == [entries[0], other]
    assert rank_chances([entries[0], other]) == [None, None]


# --- at once as one by one ------------------------------------------------------------------------

run_counts = st.lists(st.integers(2, 9), min_size=1, max_size=9)


@settings(max_examples=30)
@given(run_counts, st.integers(0, 2**32))
def test_chances_of_a_board_are_those_of_draws_made_entry_by_entry(
    counts: list[int], seed: int
) -> None:
    """Kept draws are those of a generator of the board's own, whatever was drawn before."""
    rng = np.random.default_rng(seed)
    samples = [
        sample(np.exp(rng.normal(0.02 * at, 0.1, n)).tolist()) for at, n in enumerate(counts)
    ]
    draws = 400
    own = np.random.default_rng(rank_stability.SEED)
    alone = [mean_draws(element, own, draws) for element in samples]
    drawn = np.stack([item for item in alone if item is not None])
    assert len(drawn) == len(samples)
    ranks = np.argsort(np.argsort(drawn, axis=0), axis=0) + 1
    ends = np.quantile(ranks, [0.025, 0.975], axis=1, method="nearest")
    result = rank_chances(samples, draws=draws)
    assert [item and item.first for item in result] == (ranks == 1).mean(axis=1).tolist()
    assert [item and (item.rank_low, item.rank_high) for item in result] == list(
        zip(*ends.tolist(), strict=True)
    )


@settings(max_examples=30)
@given(run_counts, st.integers(0, 2**32))
def test_pairs_of_costs_are_drawn_as_numpy_draws_them(counts: list[int], seed: int) -> None:
    rng, own = np.random.default_rng(seed), np.random.default_rng(rank_stability.SEED)
    standard = rank_stability._standard_pairs(tuple(counts), 50)
    for at, n in enumerate(counts):
        costs = np.exp(rng.normal(0, 0.2, (n, 2)))
        logs = np.log(costs)
        covariance = np.cov(logs, rowvar=False) + np.eye(2) * SD_MIN**2
        normal = own.multivariate_normal(np.zeros(2), covariance / n, 50, method="eigh")
        stretch = np.sqrt((n - 1) / own.chisquare(n - 1, 50))
        pairs = [(float(a), float(b)) for a, b in costs]
        result = rank_stability._pair_draws(pairs, standard[0][at], standard[1][at])
        np.testing.assert_allclose(
            result, logs.mean(axis=0) + normal * stretch[:, None], rtol=1e-12, atol=1e-12
        )
