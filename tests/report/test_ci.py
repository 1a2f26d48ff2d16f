import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.ci import SUMMARY_BYTES_MAX, badge, junit, markdown, summary, write_ci
from tests.lab.results import changed
from tests.report.made import Made


def test_everything_is_written_and_named(made: Made, tmp_path: Path) -> None:
    files = write_ci(tmp_path, made.scores, made.boards)
    assert files == sorted(tmp_path.iterdir())
    assert {"summary.md", "junit.xml"} <= {path.name for path in files}
    assert sum(path.name.startswith("badge-") for path in files) == len(made.boards)


def test_the_same_scores_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    one = write_ci(tmp_path / "a", made.scores, made.boards)
    other = write_ci(tmp_path / "b", made.scores[::-1], made.boards[::-1])
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


def test_the_summary_lists_every_entry_with_its_marks(made: Made) -> None:
    text = summary(made.scores, made.boards)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "Entry" not in line]
    assert len(rows) == len(made.scores)
    modelled = [row for row in rows if "(modelled)" in row]
    assert len(modelled) == sum(
        score.costs.energy_to_target_j is not None
        and score.costs.energy_to_target_j.method == "modelled"
        for score in made.scores
    )
    assert "not measured" in text
    assert "**Energy: Winner.**" in text
    assert "**Energy: No eligible entry.**" in text


def test_no_results_are_said(tmp_path: Path) -> None:
    assert "No results." in summary([], [])
    assert ET.fromstring(junit([])).tag == "testsuites"


def test_a_long_summary_is_cut_with_a_note(made: Made) -> None:
    many = [
        changed(made.scores[0], submission=f"s{i}", title=f"{i} " + "x" * 70) for i in range(8000)
    ]
    text = summary(many, [])
    assert len(text.encode()) < 1_000_000
    assert len(text.encode()) > SUMMARY_BYTES_MAX * 0.9
    assert "more lines are left out" in text


@given(st.text())
def test_no_mark_of_an_entrants_text_has_a_meaning(text: str) -> None:
    safe = markdown(text)
    bare = re.sub(r"&#\d+;", "", safe)
    assert not set(bare) & set("|<>[]`*_@!#\\\n\r")


@pytest.mark.parametrize("title", ["@everyone", "a|b", "<img src=x>", "[x](https://e.x)", "`x`"])
def test_hostile_titles_stay_text(made: Made, title: str) -> None:
    score = changed(made.scores[0], title=title)
    assert title not in summary([score], [])


def test_junit_has_a_case_for_every_run(made: Made) -> None:
    root = ET.fromstring(junit(made.scores))
    cases = root.findall("testsuite/testcase")
    runs = [run for score in made.scores for run in score.runs]
    assert len(cases) == len(runs)
    assert len(root.findall(".//failure")) == sum(not run.reached for run in runs)
    values = {p.get("value") for p in root.iter("property") if p.get("name") == "energy_j"}
    assert values == {repr(run.energy.energy_j) for run in runs if run.energy.energy_j is not None}
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))


def test_junit_survives_what_xml_cannot_hold(made: Made) -> None:
    score = changed(made.scores[0], submission="a\x00<b>&\x1b\ufffe")
    case = ET.fromstring(junit([score])).find("testsuite/testcase")
    assert case is not None
    assert "<b>&" in case.get("name", "")


def test_badges_follow_the_endpoint_schema(made: Made, tmp_path: Path) -> None:
    for path in write_ci(tmp_path, made.scores, made.boards):
        if path.suffix == ".json":
            tree = json.loads(path.read_text())
            assert tree["schemaVersion"] == 1
            assert tree["message"]
            assert set(tree) == {"schemaVersion", "label", "message", "color"}


def test_a_badge_never_shows_an_estimate(made: Made) -> None:
    board = next(b for b in made.boards if (b.workload, b.prize) == ("digits-mlp", "energy"))
    assert badge(board)["message"] == "no eligible entry"
    assert badge(board)["color"] == "lightgrey"
