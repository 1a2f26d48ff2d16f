from pathlib import Path

from harness.report.catalogue import Row
from harness.report.entries import Boards, entries_of
from harness.report.pages import catalogue
from tests.report.made import Made
from tests.report.markup import read


def page(site: Path) -> str:
    return (site / "catalogue.html").read_text(encoding="utf-8")


def test_every_row_has_its_status_and_proof(site: Path) -> None:
    found = read(page(site))
    rows = [each for each in found.all("tr") if each.values.get("data-status")]
    assert len(rows) == 148
    assert {each.values["data-status"] for each in rows} <= {"listed", "method", "out-of-scope"}
    assert "the row of the list is an empty template" in found.words
    assert "no title in the list" in found.words


def test_links_of_papers_tell_nobody_where_they_were_clicked(site: Path) -> None:
    outer = [each for each in read(page(site)).all("a") if each.values["href"].startswith("http")]
    assert len(outer) > 100
    assert all(each.values["rel"] == "noreferrer" for each in outer)


def test_no_run_is_read_where_no_row_is_a_method(made: Made) -> None:
    row = Row(id="a", section="pruning", status="listed", proof="none")
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    assert catalogue.users_of([row], entries) == {}
    method = row.model_copy(update={"status": "method"})
    assert catalogue.users_of([method], entries) == {"a": []}
