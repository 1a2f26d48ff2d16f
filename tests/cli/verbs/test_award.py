"""`joulemark award`: decisions on paper and on the page."""

from pathlib import Path

import pytest

from harness.cli.verbs.award import AwardDocument
from harness.records import Award, load
from tests.lab.results import Plan, series

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One entry that is faster than the other; both with modelled joules."""
    folder = tmp_path / "results"
    plan = Plan(method="modelled")
    series(folder, plan.but(name="fast", source="f"), EIGHT)
    series(folder, plan.but(name="slow", source="s"), [2 * item for item in EIGHT])
    return folder


@pytest.mark.usefixtures("results")
def test_a_prize_is_decided_and_written(tmp_path: Path, joulemark) -> None:
    result = joulemark("award", "speed", "--out", "records")
    assert result.exit_code == 0
    assert "awarded: fast costs least; every other entry costs at least" in result.stdout
    paths = sorted((tmp_path / "records").iterdir())
    assert [path.suffix for path in paths] == [".json", ".md"]
    assert load(Award, paths[0].read_bytes(), paths[0]).winner == "fast"
    assert "awarded to fast" in paths[1].read_text()


@pytest.mark.usefixtures("results")
def test_without_measured_joules_no_entry_wins(joulemark) -> None:
    result = joulemark("award", "energy", "--json")
    shown = AwardDocument.model_validate_json(result.stdout)
    (decision,) = shown.decisions
    assert decision.outcome == "not_awarded"
    assert decision.reason == "no eligible entry: no measured joules"
    assert len(shown.files) == 2


@pytest.mark.usefixtures("results")
def test_unknown_prizes_are_helped_with(joulemark) -> None:
    result = joulemark("award", "sped")
    assert result.exit_code == 2
    assert "did you mean speed" in result.stderr


def test_nothing_is_no_decision(tmp_path: Path, joulemark) -> None:
    (tmp_path / "results").mkdir()
    assert "nothing to decide on" in joulemark("award", "speed").stdout


@pytest.mark.usefixtures("results")
def test_practice_rules_are_refused(joulemark) -> None:
    result = joulemark("award", "speed", "--ruleset", "smoke")
    assert result.exit_code == 3
    assert "prizes ask for" in result.stderr


@pytest.mark.usefixtures("results")
def test_a_single_machine_has_no_competition(joulemark) -> None:
    result = joulemark("award", "hardware")
    assert result.exit_code == 0
    assert "no two machines here ran the same version" in result.stdout
    shown = AwardDocument.model_validate_json(joulemark("award", "hardware", "--json").stdout)
    assert shown.decisions == ()
    assert "no two machines" in shown.nothing
    sped = AwardDocument.model_validate_json(joulemark("award", "speed", "--json").stdout)
    assert sped.nothing == ""


@pytest.mark.usefixtures("results")
def test_the_page_names_the_division(joulemark) -> None:
    assert "rules default, closed division" in joulemark("award", "speed").stdout
