import typing

import pytest

from harness.records import Figure, Leaderboard, RunEnergy, Score, Status
from harness.records.measure import Method
from harness.report import wording
from tests.report.made import Made


def board_of(made: Made, workload: str, prize: str) -> Leaderboard:
    return next(b for b in made.boards if (b.workload, b.prize) == (workload, prize))


def test_every_status_has_words() -> None:
    statuses = {*typing.get_args(Status), *typing.get_args(Score.model_fields["status"].annotation)}
    assert statuses <= set(wording.STATUS_BADGES)
    assert wording.status_badge("new_one").style == "bad"


def test_every_method_has_words_and_only_measured_ones_look_measured() -> None:
    for method in typing.get_args(Method):
        (badge,) = wording.figure_badges(RunEnergy(method=method))
        assert (badge.style == "measured") == (method in ("counter", "sampled"))


def test_simulated_joules_never_look_measured() -> None:
    badges = wording.figure_badges(RunEnergy(method="counter", simulated=True))
    assert badges[0].text == "simulated"
    assert badges[0].style == "modelled"


@pytest.mark.parametrize(
    ("method", "simulated", "estimate"),
    [("counter", False, False), ("sampled", False, False), ("modelled", False, True),
     ("declared", False, True), ("counter", True, True)],
)  # fmt: skip
def test_estimates(method: Method, simulated: bool, estimate: bool) -> None:
    figure = Figure(
        value=1, low=None, high=None, n=1, level=0.95, method=method, simulated=simulated
    )
    assert wording.is_estimate(figure) is estimate


def test_a_separated_first_is_the_winner(made: Made) -> None:
    verdict = wording.board_result(board_of(made, "digits-cnn", "energy"))
    assert verdict.kind == "winner"
    assert len(verdict.standings) == 1


def test_no_entry_is_eligible(made: Made) -> None:
    assert wording.board_result(board_of(made, "digits-mlp", "energy")).kind == "none"


def test_a_tie_group_is_all_that_share_a_letter_with_the_first(made: Made) -> None:
    board = board_of(made, "digits-cnn", "speed")
    letters = ["a", "ab", "bc", "ac", "d"]
    rows = tuple(
        row.model_copy(update={"tie_group": letter})
        for row, letter in zip(board.standings, letters, strict=True)
    )
    tied = board.model_copy(update={"standings": rows, "separated": False})
    verdict = wording.board_result(tied)
    assert verdict.kind == "tie"
    assert [row.tie_group for row in verdict.standings] == ["a", "ab", "ac"]
    assert "Tied: 3 entries" in verdict.headline


def test_one_entry_alone_is_no_winner(made: Made) -> None:
    board = board_of(made, "digits-cnn", "speed")
    alone = board.model_copy(update={"standings": board.standings[:1]})
    assert wording.board_result(alone).kind == "single"


def test_the_lead_is_shown_where_it_is_known(made: Made) -> None:
    board = board_of(made, "digits-cnn", "speed")
    text = wording.difference_text(board.model_copy(update={"resolvable_ratio": 0.061}))
    assert "6.1" in text
    assert wording.difference_text(board.model_copy(update={"resolvable_ratio": None})) == ""


def test_places_are_shown_with_distance_and_whether_it_means_something(made: Made) -> None:
    from harness.report.entries import Placement

    board = board_of(made, "digits-cnn", "energy")
    first = wording.place_text(Placement(board, board.standings[0], None))
    assert "Rank 1 of 3" in first
    assert "below" in first
    assert "significantly different" in first
    last = wording.place_text(Placement(board, board.standings[-1], None))
    assert "above" in last
    outside = wording.place_text(Placement(board, None, board.unranked[0]))
    assert outside == f"Not ranked: {board.unranked[0].reason}."


def test_a_tie_of_many_letters_is_cut_with_a_note() -> None:
    assert wording.tie_text("a b") == "a b"
    many = " ".join(f"t{n}" for n in range(300))
    assert wording.tie_text(many) == "t0 t1 t2 t3 t4 t5 and 294 more"
