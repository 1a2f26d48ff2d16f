from pathlib import Path

import pytest

from harness.report.site import render
from tests.report.made import Made
from tests.report.markup import Markup, pages_of


@pytest.fixture
def awards(site: Path) -> dict[str, Markup]:
    return {
        path.removeprefix("award/").partition("--epyc")[0]: page
        for path, page in pages_of(site).items()
        if path.startswith("award/")
    }


def test_each_board_has_its_record(made: Made, awards: dict[str, Markup]) -> None:
    assert set(awards) == {f"{board.prize}--{board.workload}" for board in made.boards}


def test_a_winner_is_told_with_rule_and_lead(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-cnn"].words
    assert "Winner: Muon" in words
    assert "the second costs" in words
    assert "Joules that may win counter, sampled" in words
    assert "first_passing" in words


def test_who_is_not_ranked_is_told_with_the_reason(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-cnn"].words.partition("Not ranked")[2]
    assert "AdamW, no meter Reference: no joules were measured" in words


def test_nobody_is_no_winner(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-mlp"].words
    assert "No eligible entry" in words
    assert "Would it change?" not in words
    assert "Winner" not in words


def test_a_tie_names_its_group(made: Made, tmp_path: Path) -> None:
    tied = [
        board.model_copy(
            update={
                "separated": False,
                "standings": tuple(
                    row.model_copy(update={"tie_group": "a"}) for row in board.standings
                ),
            }
        )
        for board in made.boards
    ]
    render(made.results, tmp_path, made.scores, tied)
    (path,) = (tmp_path / "award").glob("energy--digits-cnn*.html")
    words = pages_of(tmp_path)[path.relative_to(tmp_path).as_posix()].words
    assert "do not separate the entries of the tie group: Muon, AdamW, SGD" in words


def test_the_overview_leads_to_every_record(made: Made, site: Path) -> None:
    links = pages_of(site)["awards.html"].links
    assert sum(link.startswith("award/") for link in links) == len(made.boards)
