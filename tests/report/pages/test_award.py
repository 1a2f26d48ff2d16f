from pathlib import Path

import pytest

from harness.report.pages.award import award_pages
from harness.report.site import Site
from harness.rules.load import load_ruleset
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, pages_of


@pytest.fixture
def awards(site: Path) -> dict[str, Markup]:
    return {
        path.removeprefix("award/").partition("--epyc")[0]: page
        for path, page in pages_of(site).items()
        if path.startswith("award/")
    }


def test_every_board_has_its_record(made: Made, awards: dict[str, Markup]) -> None:
    assert set(awards) == {f"{board.prize}--{board.workload}" for board in made.boards}


def test_a_winner_is_shown_with_rule_and_lead(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-cnn"].words
    assert "Winner: Muon" in words
    assert "every other entry costs at least" in words
    assert "Energy that may win counter, sampled" in words
    assert "no prize is awarded under them" in words, "the rules score the first that passes"


def test_the_page_shows_every_test_and_check_of_the_record(
    made: Made, awards: dict[str, Markup]
) -> None:
    pages = award_pages(Site(made.results, made.scores, made.boards, [load_ruleset("smoke")]))
    (page,) = (item for item in pages if item.title == "Energy on digits-cnn")
    words = awards["energy--digits-cnn"].words
    assert page.award.challenges
    assert all(row.challenger in words for row in page.award.challenges)
    assert page.award.sensitivity
    assert all(check.variation in words for check in page.award.sensitivity)


def test_an_entry_that_is_not_ranked_is_shown_with_the_reason(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-cnn"].words.partition("Not ranked")[2]
    assert "AdamW, no meter Reference: no joules were measured" in words


def test_without_an_eligible_entry_there_is_no_winner(awards: dict[str, Markup]) -> None:
    words = awards["energy--digits-mlp"].words
    assert "No eligible entry" in words
    assert "Sensitivity checks" not in words
    assert "Winner" not in words


def test_a_tie_names_its_entries(tmp_path: Path) -> None:
    plans = [Plan(submission=f"digits-mlp-{name}", title=name, meter="rapl") for name in "ab"]
    made = make(tmp_path / "results", tuple(plans))
    pages = award_pages(Site(made.results, made.scores, made.boards))
    (page,) = (item for item in pages if item.title == "Energy on digits-mlp")
    assert page.headline == "Tied"
    assert set(page.award.leaders) == {"digits-mlp-a", "digits-mlp-b"}
    assert "not significantly different" in page.award.reason


def test_the_overview_leads_to_every_record(made: Made, site: Path) -> None:
    links = pages_of(site)["awards.html"].links
    assert sum(link.startswith("award/") for link in links) == len(made.boards)
