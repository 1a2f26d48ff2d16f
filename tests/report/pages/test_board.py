import csv
import io
import json
from pathlib import Path

import pytest

from harness.prizes import boards
from harness.report.entries import Boards, entries_of
from harness.report.pages.board import csv_text
from harness.report.site import render
from harness.rules.load import load_ruleset
from harness.score.score import score_all
from tests.lab.results import changed
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, pages_of, read


@pytest.fixture
def board(site: Path) -> Markup:
    return pages_of(site)["board/digits-cnn.html"]


def rows(site: Path, workload: str) -> dict[str, str]:
    """Source of each row by the submission's name."""
    text = (site / "board" / f"{workload}.html").read_text().partition("<tbody>")[2]
    rows_by_name = {}
    for row in text.partition("</tbody>")[0].split("<tr ")[1:]:
        rows_by_name[row.partition("<code><bdi>")[2].partition("<")[0]] = "<tr " + row
    return rows_by_name


def test_no_entry_is_dropped(made: Made, site: Path) -> None:
    shown = set(rows(site, "digits-cnn")) | set(rows(site, "digits-mlp"))
    assert shown == {score.entry.submission for score in made.scores}


def test_tables_say_what_they_are(board: Markup) -> None:
    assert len(board.all("caption")) == len(board.all("table"))
    heads = [item for item in board.all("th") if "thead" in item.parents]
    assert heads
    assert all(head.values["scope"] == "col" for head in heads)
    firsts = [item for item in board.all("th") if "tbody" in item.parents]
    assert all(first.values["scope"] == "row" for first in firsts)


def test_directions_and_units_stand_in_the_heads(board: Markup) -> None:
    assert "Energy to target, J ↓" in board.words
    assert "Time to target, s ↓" in board.words
    assert "accuracy ↑" in board.words


def test_unrounded_values_are_in_the_data(made: Made, site: Path) -> None:
    score = next(s for s in made.scores if s.entry.submission == "cnn-muon")
    assert score.costs.energy_to_target_j is not None
    assert (
        f'data-v="{score.costs.energy_to_target_j.value}"' in rows(site, "digits-cnn")["cnn-muon"]
    )


def test_estimates_are_marked_in_words_and_style(site: Path) -> None:
    row = rows(site, "digits-mlp")["digits-mlp-adamw"]
    assert 'class="value modelled"' in row
    assert ">modelled</span>" in row
    assert ">simulated</span>" in rows(site, "digits-cnn")["cnn-fake"]


def test_missing_joules_are_a_dash_with_words(site: Path) -> None:
    row = rows(site, "digits-cnn")["cnn-unmetered"]
    assert "not measured" in read(row.rpartition("</tr>")[0] + "</tr>").text
    assert 'data-v="0"' not in row
    assert row.count('<td class="value" data-v="">') == 1


def test_what_has_no_place_is_listed_with_the_reason(site: Path) -> None:
    row = rows(site, "digits-mlp")["digits-mlp-broken"]
    assert "target missed" in row
    assert "no run reached the target" in row
    assert "3 failed" in row


def test_reasons_are_gathered_below(board: Markup) -> None:
    tail = board.words.partition("Not ranked")[2].partition("How to read")[0]
    assert "no joules were measured (AdamW, no meter)" in tail


def test_the_csv_holds_what_the_page_shows(made: Made, site: Path) -> None:
    text = (site / "board" / "digits-cnn.csv").read_text()
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0])[:5] == ["workload", "machine", "ruleset", "submission", "title"]
    by_name = {row["submission"]: row for row in table}
    for score in made.scores:
        if score.entry.workload != "digits-cnn":
            continue
        row, figure = by_name[score.entry.submission], score.costs.energy_to_target_j
        assert row["energy_to_target_j"] == ("" if figure is None else str(figure.value))
        assert row["energy_method"] == (figure.method if figure else "")
    assert by_name["cnn-muon"]["energy_rank"] == "1"
    assert by_name["cnn-fake"]["energy_rank"] == ""


def test_the_json_holds_the_records(made: Made, site: Path) -> None:
    tree = json.loads((site / "board" / "digits-mlp.json").read_text())
    assert {item["entry"]["submission"] for item in tree["scores"]} == {
        score.entry.submission for score in made.scores if score.entry.workload == "digits-mlp"
    }
    assert {item["prize"] for item in tree["boards"]} == {"energy", "speed"}


@pytest.mark.parametrize("title", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_a_title_is_no_formula_in_a_spreadsheet(made: Made, title: str) -> None:
    score = changed(made.scores[0], title=title)
    entries = entries_of([score], Boards([]), made.results)
    (row,) = csv.DictReader(io.StringIO(csv_text(entries)))
    assert row["title"] == f"'{title}"


def test_machines_are_never_mixed(made: Made, tmp_path: Path) -> None:
    from harness.report.site import render

    moved = changed(made.scores[0], machine="other-1234")
    render(made.results, tmp_path, [*made.scores, moved], made.boards)
    page = pages_of(tmp_path)[f"board/{moved.entry.workload}.html"]
    assert len(page.all("table")) == 2
    assert "other-1234" in page.words


def test_a_tie_letter_is_shown_only_where_it_is_shared(made: Made, site: Path) -> None:
    for board in made.boards:
        letters = "".join(row.tie_group for row in board.standings)
        for row in board.standings:
            shared = any(letters.count(letter) > 1 for letter in row.tie_group)
            source = rows(site, board.workload)[row.entry.submission]
            assert shared <= (f'<span class="tie">{row.tie_group}</span>' in source)


@pytest.fixture(scope="module")
def at_budget(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of entries that rank by their metric when the budget is spent."""
    root = tmp_path_factory.mktemp("budget")
    plans = (
        Plan(submission="digits-mlp-low", title="Low", speed=0.6, seeds=3),
        Plan(submission="digits-mlp-high", title="High", speed=3.0, seeds=3),
        Plan(submission="digits-mlp-lost", title="Lost", failed={0: "crashed"}, seeds=3),
    )
    made = make(root / "results", plans)
    rules = load_ruleset("smoke", ["run.mode=quality_at_budget", "run.snapshot_rule=final"])
    scores = score_all(made.results, rules).scores
    render(made.results, root / "site", scores, boards(scores), [rules])
    return root / "site"


def test_where_the_metric_ranks_the_board_has_its_rank_and_no_costs(at_budget: Path) -> None:
    page = pages_of(at_budget)["board/digits-mlp.html"]
    assert page.faults == []
    keys = [item.values.get("data-key") for item in page.all("th")]
    assert "quality-rank" in keys
    assert not {"energy", "time", "energy-rank"} & set(keys)
    body = page.words.partition("Status")[2]
    assert body.index("High") < body.index("Low") < body.index("Lost")
    rows = list(csv.DictReader(io.StringIO((at_budget / "board/digits-mlp.csv").read_text())))
    assert [row["quality_rank"] for row in rows] == ["1", "2", ""]


def test_the_prize_for_quality_has_a_card_and_a_decision(at_budget: Path) -> None:
    pages = pages_of(at_budget)
    words = pages["index.html"].words
    assert "Quality" in words
    card = words.partition("Quality Winner ")[2]
    assert 0 == card.index("High") < card.index("detectable difference")
    assert "in the metric" in card
    decision = next(page for path, page in pages.items() if path.startswith("award/budget"))
    assert "High" in decision.words
    assert all(page.faults == [] for page in pages.values())
