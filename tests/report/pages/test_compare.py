import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.report.numbers import MISSING
from harness.report.site import render
from tests.report.made import Made, Plan, make
from tests.report.markup import pages_of


def data(site: Path) -> dict[str, Any]:
    text = (site / "compare.html").read_text()
    match = re.search(r'id="compare-data">(.*?)</script>', text, re.DOTALL)
    assert match is not None
    tree: dict[str, Any] = json.loads(match[1])
    return tree


def test_every_entry_can_be_picked(made: Made, site: Path) -> None:
    entries = data(site)["entries"]
    assert sorted(map(name_of, entries)) == sorted(score.entry.submission for score in made.scores)
    assert all((site / entry["path"]).is_file() for entry in entries)


def name_of(entry: dict[str, Any]) -> str:
    return str(dict(entry["facts"])["Submission"])


def test_missing_is_missing(made: Made, site: Path) -> None:
    by_name = {name_of(entry): entry for entry in data(site)["entries"]}
    for score in made.scores:
        joules = by_name[score.entry.submission]["joules"]
        figure = score.costs.energy_to_target_j
        assert joules == (figure.value if figure else None)
        assert (by_name[score.entry.submission]["energy"] == MISSING) is (figure is None)
    assert by_name["cnn-unmetered"]["power"] is None
    assert len(by_name["cnn-muon"]["power"]["watts"]) == 120


def test_the_bars_of_every_pair_lead_from_one_energy_to_the_other(site: Path) -> None:
    tree = data(site)
    joules = {entry["id"]: entry["joules"] for entry in tree["entries"]}
    assert tree["pairs"]
    for key, pair in tree["pairs"].items():
        before, after = (joules[ident] for ident in key.split(" "))
        change = sum(bar["joules"] for bar in pair["bars"])
        assert change == pytest.approx(after - before, rel=1e-4, abs=1e-4 * max(before, after))
        for bar in pair["bars"]:
            assert bar["factor"] in tree["labels"]
            assert len(bar["texts"]) == len(bar["ratio"]) == 2


def test_every_entry_is_compared_with_the_first_without_scripts(site: Path) -> None:
    words = pages_of(site)["compare.html"].words
    assert "against the first by energy: Muon" in words
    assert "more steps" in words
    assert "not comparable: one covers cpu-package-0, dram-0" in words


def test_estimates_are_marked(site: Path) -> None:
    marks = [element.values.get("class") for element in pages_of(site)["compare.html"].elements]
    # Five modelled entries, of which one is the first, one simulated; and the footer.
    assert marks.count("badge modelled") == 5 + 1 + 1


def test_names_cannot_leave_the_data(tmp_path: Path) -> None:
    title = "</script><script>alert(1)</script>\u2028"
    made = make(tmp_path / "results", (Plan(submission="evil", title=title, seeds=2),))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    (entry,) = data(tmp_path / "site")["entries"]
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
    assert ("nothing to compare" in words) is (count == 0)
    assert ("single entry" in words) is (count == 1)
