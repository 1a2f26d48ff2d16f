import json
from pathlib import Path

import pytest

from harness.formats.imported import formats_below, imported_documents, rules_for
from harness.records import ImportedScore
from harness.report.site import render
from tests.report.made import Made, scored
from tests.report.markup import Markup, pages_of


@pytest.fixture(scope="module")
def pages(mixed: Path) -> dict[str, Markup]:
    return pages_of(mixed)


def imported_scores(imported: Path) -> list[ImportedScore]:
    made = scored(imported)
    result = imported_documents(made.results)
    return [score for _, document in result for score in document.scores]


def test_every_field_is_there_under_its_own_rules(imported: Path, pages: dict[str, Markup]) -> None:
    assert formats_below(imported) == {"mlperf-training", "algoperf", "dawnbench"}
    words = pages["imported.html"].words
    for rules in rules_for({"mlperf-training", "dawnbench"}):
        assert rules.title in words
    assert "AlgoPerf" in words
    for score in imported_scores(imported):
        assert score.submission in pages["imported.html"].text
    # Five logs of MLPerf carry power: those joules are shown, with how they came about.
    assert "as MLPerf" in words
    assert "not measured" in words


def test_imported_and_own_results_share_no_table(imported: Path, pages: dict[str, Markup]) -> None:
    theirs = {score.submission for score in imported_scores(imported)}
    ours = {score.entry.submission for score in scored(imported).scores}
    assert not theirs & ours
    for path, page in pages.items():
        if path not in ("imported.html", "catalogue.html", "about.html", "methods.html"):
            assert not [name for name in theirs if f" {name} " in page.words], path
    assert not [name for name in ours if name in pages["imported.html"].text]


def test_own_boards_are_what_they_are_without_imports(
    imported: Path, mixed: Path, tmp_path: Path
) -> None:
    made = scored(imported)
    # The same bundles, with no imported records beside them.
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "digits-mlp").symlink_to(imported / "digits-mlp")
    alone = Made(tmp_path / "results", made.scores, made.boards)
    render(alone.results, tmp_path / "site", alone.scores, alone.boards)
    for path in ("board/digits-mlp.html", "board/digits-mlp.csv", "overall.html", "machines.html"):
        assert (mixed / path).read_bytes() == (tmp_path / "site" / path).read_bytes()
    assert not (tmp_path / "site" / "imported.html").exists()
    assert "From other fields" not in (tmp_path / "site" / "index.html").read_text()


def test_the_front_page_leads_there_and_links_hold(mixed: Path, pages: dict[str, Markup]) -> None:
    assert "imported.html" in pages["index.html"].links
    page = pages["imported.html"]
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert (mixed / link.partition("#")[0]).exists() or link.startswith("#")


def test_what_others_wrote_stays_text(mixed: Path, pages: dict[str, Markup]) -> None:
    assert "<b>evil</b>" in pages["imported.html"].text
    assert "<b>evil" not in (mixed / "imported.html").read_text()


def test_the_data_are_next_to_the_page(imported: Path, mixed: Path) -> None:
    tree = json.loads((mixed / "imported.json").read_bytes())
    message = {row["submission"] for document in tree.values() for row in document["scores"]}
    assert message == {score.submission for score in imported_scores(imported)}
    assert all(document["imported"] for document in tree.values())
