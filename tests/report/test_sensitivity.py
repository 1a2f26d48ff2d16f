import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Leaderboard, RunScore, Score
from harness.report.sensitivity import geometric_mean, lead_text, variations
from tests.lab.results import changed
from tests.report.made import Made

positive = st.lists(st.floats(0.1, 1e5), min_size=1, max_size=8)


@given(positive)
def test_the_geometric_mean_lies_inside_and_below_the_mean(values: list[float]) -> None:
    found = geometric_mean(values)
    assert min(values) * 0.999999 <= found <= max(values) * 1.000001
    assert found <= statistics.fmean(values) * 1.000001


@pytest.fixture
def board(made: Made) -> Leaderboard:
    return next(b for b in made.boards if (b.workload, b.prize) == ("digits-cnn", "energy"))


@pytest.fixture
def ranked(made: Made, board: Leaderboard) -> dict[str, Score]:
    by_name = {score.entry.submission: score for score in made.scores}
    return {row.entry.submission: by_name[row.entry.submission] for row in board.standings}


def with_costs(score: Score, joules: list[float], u_j: float | None = None) -> Score:
    base: RunScore = score.runs[0]
    runs = tuple(
        changed(base, energy_j=value, u_j=u_j, seed=seed) for seed, value in enumerate(joules)
    )
    return score.model_copy(update={"runs": runs})


def by_name(board: Leaderboard, ranked: dict[str, Score]) -> dict[str, tuple[str, bool]]:
    return {
        variation.name: (variation.first, variation.changes)
        for variation in variations(board, ranked)
    }


def test_a_clear_winner_stays_first(board: Leaderboard, ranked: dict[str, Score]) -> None:
    found = variations(board, ranked)
    assert len(found) >= 5
    assert not any(item.changes for item in found)
    assert {item.first for item in found} == {board.standings[0].entry.submission}


def test_a_winner_by_one_lucky_seed_is_found_out(
    board: Leaderboard, ranked: dict[str, Score]
) -> None:
    first, second = (row.entry.submission for row in board.standings[:2])
    ranked[first] = with_costs(ranked[first], [1.0, 60.0, 62.0])
    ranked[second] = with_costs(ranked[second], [50.0, 51.0, 52.0])
    found = by_name(board, ranked)
    assert found["without the best seed of each"] == (second, True)
    assert found["median"] == (second, True)


def test_the_meters_own_uncertainty_is_held_against_the_first(
    board: Leaderboard, ranked: dict[str, Score]
) -> None:
    first, second = (row.entry.submission for row in board.standings[:2])
    ranked[first] = with_costs(ranked[first], [50.0, 50.0], u_j=5.0)
    ranked[second] = with_costs(ranked[second], [52.0, 52.0], u_j=5.0)
    name = "the first one's meter reading low by its uncertainty"
    assert by_name(board, ranked)[name] == (second, True)
    ranked[first] = with_costs(ranked[first], [50.0, 50.0], u_j=1.0)
    assert by_name(board, ranked)[name] == (first, False)


def test_what_is_not_known_changes_nothing(board: Leaderboard, ranked: dict[str, Score]) -> None:
    blind = {
        name: score.model_copy(
            update={"runs": tuple(changed(run, window_j=None) for run in score.runs)}
        )
        for name, score in ranked.items()
    }
    assert by_name(board, blind)["the whole run window"] == ("", False)


def test_the_lead_is_what_the_second_costs_more(board: Leaderboard) -> None:
    one, other = board.standings[:2]
    rows = (one.model_copy(update={"score": 10.0}), other.model_copy(update={"score": 12.5}))
    told = lead_text(board.model_copy(update={"standings": rows}))
    assert told.replace("\u202f", " ") == "25 %"
    assert lead_text(board.model_copy(update={"standings": rows[:1]})) == ""
