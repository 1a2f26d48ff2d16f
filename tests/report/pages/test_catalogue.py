from pathlib import Path

from harness.report.entries import Boards, entries_of
from harness.report.pages import catalogue
from harness.report.pages.catalogue import CatalogueRow
from tests.report.made import Made
from tests.report.markup import read


def page(site: Path) -> str:
    return (site / "catalogue.html").read_text(encoding="utf-8")


def test_every_row_has_its_status_and_proof(site: Path) -> None:
    markup = read(page(site))
    rows = [item for item in markup.all("tr") if item.values.get("data-status")]
    assert len(rows) == 148
    assert {row.values["data-status"] for row in rows} <= {"listed", "method", "out-of-scope"}
    assert "the row of the list is an empty template" in markup.words
    assert "no title in the list" in markup.words


def test_links_of_papers_tell_no_one_where_they_were_clicked(site: Path) -> None:
    outer = [item for item in read(page(site)).all("a") if item.values["href"].startswith("http")]
    assert len(outer) > 100
    assert all(item.values["rel"] == "noreferrer" for item in outer)


def test_no_run_is_read_where_no_row_is_a_method(made: Made) -> None:
    row = CatalogueRow(id="a", section="pruning", status="listed", proof="none")
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    assert catalogue.users_of([row], entries) == {}
    method = row.model_copy(update={"status": "method"})
    assert catalogue.users_of([method], entries) == {"a": []}
