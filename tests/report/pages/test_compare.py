import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.report.site import render
from tests.report.made import Made, Plan, make
from tests.report.markup import pages_of


def data(site: Path) -> list[dict[str, Any]]:
    text = (site / "compare.html").read_text()
    found = re.search(r'id="compare-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    tree: list[dict[str, Any]] = json.loads(found[1])
    return tree


def test_every_entry_can_be_picked(made: Made, site: Path) -> None:
    entries = data(site)
    assert sorted(entry["submission"] for entry in entries) == sorted(
        score.entry.submission for score in made.scores
    )
    assert all((site / entry["path"]).is_file() for entry in entries)


def test_values_are_unrounded_and_missing_is_missing(made: Made, site: Path) -> None:
    by_name = {entry["submission"]: entry for entry in data(site)}
    for score in made.scores:
        energy = by_name[score.entry.submission]["energy"]
        assert (energy and energy["value"]) == (
            score.costs.energy_to_target_j.value if score.costs.energy_to_target_j else None
        )
    assert by_name["cnn-unmetered"]["power"] is None
    assert len(by_name["cnn-muon"]["power"]["watts"]) == 120


def test_each_entry_is_held_against_the_first_without_scripts(site: Path) -> None:
    words = pages_of(site)["compare.html"].words
    assert "against the first by energy: Muon" in words
    assert "more steps" in words
    assert "not compared: one covers cpu-package-0, dram-0" in words


def test_estimates_are_marked(site: Path) -> None:
    marks = [element.values.get("class") for element in pages_of(site)["compare.html"].elements]
    # Five modelled entries, of which one is the first, one simulated; and the footer.
    assert marks.count("badge modelled") == 5 + 1 + 1


def test_names_cannot_leave_the_data(tmp_path: Path) -> None:
    title = "</script><script>alert(1)</script>\u2028"
    made = make(tmp_path / "results", (Plan(submission="evil", title=title, seeds=2),))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    (entry,) = data(tmp_path / "site")
    assert entry["title"] == title
    assert (
        html.escape(title)
        not in (tmp_path / "site" / "compare.html")
        .read_text()
        .partition("compare-data")[2]
        .partition("</script>")[0]
    )


def test_the_entry_page_has_its_bridge(site: Path) -> None:
    pages = pages_of(site)
    words = pages["entry/digits-cnn--cnn-sgd--epyc-7b13-4f2a.html"].words
    assert "Against Muon" in words
    assert "more steps" in words
    assert "Against" not in pages["entry/digits-cnn--cnn-muon--epyc-7b13-4f2a.html"].words


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(tmp_path: Path, count: int) -> None:
    plans = tuple(Plan(submission=f"s{i}", title="S", meter="rapl") for i in range(count))
    made = make(tmp_path / "results", plans)
    render(made.results, tmp_path / "site", made.scores, made.boards)
    words = pages_of(tmp_path / "site")["compare.html"].words
    assert "nothing to compare" in words
