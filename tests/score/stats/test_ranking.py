"""Laws of places: ties are exactly what was not separated, and no order or unit moves anybody."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.stats.ranking import (
    RankedEntry,
    compact_letters,
    different_pairs,
    letter,
    rank,
)
from harness.score.stats.sample import Sample, mean_log


def ranked(name: str, costs: list[float], seed: int, floor: float = 1e-3) -> RankedEntry:
    sample = Sample({seed + i: math.log(cost) for i, cost in enumerate(costs)}, floor)
    return RankedEntry((name,), math.exp(mean_log(sample)), sample)


series = st.lists(st.floats(1.0, 3.0), min_size=1, max_size=6)
fields = st.lists(series, min_size=1, max_size=7).map(
    lambda item: [ranked(f"entry {i}", costs, 100 * i) for i, costs in enumerate(item)]
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    count = draw(st.integers(1, 7))
    pairs = list(combinations(range(count), 2))
    return count, draw(st.lists(st.sampled_from(pairs), unique=True) if pairs else st.just([]))


@given(graphs())
def test_letters_are_shared_exactly_by_those_not_different_pairs(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    count, different = graph
    letters = compact_letters(count, different)
    for i, j in combinations(range(count), 2):
        assert bool(set(letters[i]) & set(letters[j])) == ((i, j) not in different)
    assert all(letters)


def test_letters_of_a_ladder() -> None:
    assert compact_letters(4, [(0, 2), (0, 3), (1, 3)]) == ["a", "ab", "bc", "c"]


def test_letters_go_on_after_z() -> None:
    assert [letter(index) for index in (0, 25, 26, 701, 702)] == ["a", "z", "aa", "zz", "aaa"]
    many = compact_letters(30, list(combinations(range(30), 2)))
    assert len(set(many)) == 30


@given(fields)
def test_places_are_consistent(entries: list[RankedEntry]) -> None:
    ranking = rank(entries, 0.05)
    assert sorted(ranking.order) == list(range(len(entries)))
    values = [entries[i].value for i in ranking.order]
    assert values == sorted(values)
    for position, place in enumerate(ranking.places, 1):
        assert place.rank == position
        assert 1 <= place.rank_low <= place.rank <= place.rank_high <= len(entries)


@given(fields, st.randoms(use_true_random=False))
def test_the_input_order_changes_no_place(entries: list[RankedEntry], random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = rank(entries, 0.05), rank(shuffled, 0.05)
    assert [entries[i].key for i in one.order] == [shuffled[i].key for i in two.order]
    assert one.places == two.places


@given(fields, st.sampled_from([1e-3, 0.5, 3600.0]))
def test_a_unit_changes_no_place(entries: list[RankedEntry], unit: float) -> None:
    changed = [
        entry._replace(
            value=entry.value * unit,
            sample=entry.sample._replace(
                logs={seed: log + math.log(unit) for seed, log in entry.sample.logs.items()}
            ),
        )
        for entry in entries
    ]
    one, two = rank(entries, 0.05), rank(changed, 0.05)
    distinct = len({round(math.log(entry.value), 9) for entry in entries}) == len(entries)
    if distinct:
        assert one.order == two.order
        assert one.places == two.places


def test_clear_leads_are_significantly_different_and_close_ones_tied() -> None:
    entries = [
        ranked("slow", [20.0, 20.2, 19.9, 20.1], 0),
        ranked("twin", [10.05, 9.9, 10.1, 10.0], 100),
        ranked("fast", [10.0, 10.1, 9.9, 10.03], 200),
    ]
    ranking = rank(entries, 0.05)
    assert [entries[i].key[0] for i in ranking.order][2] == "slow"
    assert [place.letters for place in ranking.places] == ["a", "a", "b"]
    assert [(p.rank_low, p.rank_high) for p in ranking.places] == [(1, 2), (1, 2), (3, 3)]
    assert not ranking.separated
    assert ranking.detectable_ratio is not None
    assert 0 < ranking.detectable_ratio < 0.2


def test_single_runs_are_all_tied() -> None:
    ranking = rank([ranked(str(i), [1.0 + i], 9 * i) for i in range(4)], 0.05)
    assert {place.letters for place in ranking.places} == {"a"}
    assert {(place.rank_low, place.rank_high) for place in ranking.places} == {(1, 4)}
    assert ranking.detectable_ratio is None


def test_an_empty_board_has_no_leader() -> None:
    ranking = rank([], 0.05)
    assert ranking.order == ()
    assert not ranking.separated


def test_an_order_turned_round_by_failures_stays_tied() -> None:
    """Its successes are cheap, but what its failures spent puts it behind."""
    gambler = ranked("gambler", [1.0, 1.01, 0.99], 0)
    gambler = gambler._replace(value=30.0, sample=gambler.sample._replace(open_ended=True))
    steady = ranked("steady", [10.0, 10.1, 9.9], 100)
    ranking = rank([gambler, steady], 0.05)
    assert ranking.order == (1, 0)
    assert [place.letters for place in ranking.places] == ["a", "a"]


@pytest.mark.parametrize("configuration", [(0, 0, 0, 0, 0), (0, 0, 2, 2, 2)])
def test_a_difference_is_rarely_seen_where_there_is_none(configuration: tuple[int, ...]) -> None:
    """Five equal; two equal and three far behind: at most alpha of boards err, by simulation."""
    rng = np.random.default_rng(7)
    alpha, boards, wrong = 0.05, 400, 0
    equal = {(i, j) for i, j in combinations(range(5), 2) if configuration[i] == configuration[j]}
    for _ in range(boards):
        logs = rng.normal(0, 0.05, (5, 5)) + np.array(configuration)[:, None]
        samples = [Sample(dict(enumerate(row, 100 * i)), 1e-6) for i, row in enumerate(logs)]
        different = different_pairs(
            samples, [math.exp(mean_log(sample)) for sample in samples], alpha
        )
        wrong += bool(different & equal)
    assert wrong / boards <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / boards)


@given(graphs())
def test_no_letter_s_group_lies_in_another(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, different = graph
    letters = compact_letters(count, different)
    groups: dict[str, set[int]] = {}
    for index, own in enumerate(letters):
        for item in own:
            groups.setdefault(item, set()).add(index)
    assert not [(a, b) for a, b in permutations(groups.values(), 2) if a <= b]
