from pathlib import Path

from harness.report.pages.index import SINGLE_CARDS_MAX
from harness.report.site import render
from tests.report.made import Made, Plan, make
from tests.report.markup import pages_of, read


def cards(site: Path) -> dict[tuple[str, str], str]:
    """Text of each card by workload and prize."""
    text = (site / "index.html").read_text()
    cards = {}
    for section in text.split('<section class="workload"')[1:]:
        workload = read(section.partition("</h2>")[0] + "</h2>").words.split(">")[-1].strip()
        for card in section.split("<article")[1:]:
            words = read("<article" + card.partition("</article>")[0] + "</article>").words
            cards[workload, words.partition(" ")[0]] = words
    return cards


def test_every_workload_has_a_card_for_every_prize(site: Path) -> None:
    assert set(cards(site)) == {
        (workload, prize)
        for workload in ("digits-cnn", "digits-mlp")
        for prize in ("Energy", "Speed")
    }


def test_a_winner_is_named_with_value_and_interval(made: Made, site: Path) -> None:
    words = cards(site)["digits-cnn", "Energy"]
    board = next(b for b in made.boards if b.workload == "digits-cnn" and b.prize == "energy")
    assert board.separated
    assert "Winner" in words
    assert board.standings[0].entry.title in words
    assert "–" in words
    assert "inimum detectable difference" in words


def test_modelled_joules_never_win(site: Path) -> None:
    words = cards(site)["digits-mlp", "Energy"]
    assert "No eligible entry" in words
    assert "No measured joules" in words
    assert "Winner" not in words


def test_a_tie_group_is_listed_completely(made: Made, tmp_path: Path) -> None:
    tied = [
        board.model_copy(
            update={
                "separated": False,
                "standings": tuple(
                    row.model_copy(update={"tie_group": "a" if row.rank <= 3 else "b"})
                    for row in board.standings
                ),
            }
        )
        for board in made.boards
    ]
    render(made.results, tmp_path, made.scores, tied)
    words = cards(tmp_path)["digits-mlp", "Speed"]
    assert "Tied: 3 entries" in words
    assert words.count("Reference") + words.count("Lab B") == 3


def test_cards_lead_to_the_entries_and_boards(site: Path) -> None:
    links = pages_of(site)["index.html"].links
    assert "entry/digits-cnn--cnn-muon--epyc-7b13-4f2a.html" in links
    assert "board/digits-cnn.html" in links


def test_many_single_entries_share_a_table_below_the_contests(tmp_path: Path) -> None:
    plans = [
        Plan(submission=f"w{number}-adamw", title=f"Entry {number}", workload=f"w{number}", seeds=2)
        for number in range(SINGLE_CARDS_MAX + 1)
    ]
    others = [Plan(submission=f"digits-mlp-{name}", title=name, seeds=2) for name in ("one", "two")]
    made = make(tmp_path / "results", (*plans, *others))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    assert {workload for workload, _ in cards(tmp_path / "site")} == {"digits-mlp"}
    page = pages_of(tmp_path / "site")["index.html"]
    assert "One entry so far" in page.words
    for plan in plans:
        assert f"board/{plan.workload}.html" in page.links
        assert plan.title in page.words
