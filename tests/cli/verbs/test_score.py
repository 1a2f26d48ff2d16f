"""`joulemark score`: boards with units, intervals and ties, and reasons for the rest."""

from pathlib import Path

import pytest

from harness.records.document import ScoreDocument
from tests.lab.results import Plan, rules, series, write_run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two entries with measured joules, one with modelled ones."""
    folder = tmp_path / "results"
    mild = rules("mild", seeds_count=3)
    plan = Plan(rules=mild, ruleset="mild")
    series(folder, plan.but(name="fast", source="f"), [4.0, 4.1, 4.2])
    series(folder, plan.but(name="slow", source="s"), [9.0, 9.1, 9.2])
    series(folder, plan.but(name="guess", source="g", method="modelled"), [5.0, 5.1, 5.2])
    return folder


def test_the_boards(results: Path, joulemark) -> None:
    result = joulemark("score")
    assert result.exit_code == 0
    assert "energy: energy_to_target_j on toy, desk, rules mild" in result.stdout
    assert "speed: time_to_target_s on toy, desk, rules mild" in result.stdout
    row = next(line for line in result.stdout.splitlines() if " fast " in line)
    assert row.split()[0] == "1"
    assert " J " in row
    assert "counter: cpu-package-0" in row
    assert "95% confidence" in result.stdout


def test_modelled_joules_have_no_place_and_say_why(results: Path, joulemark) -> None:
    text = joulemark("score").stdout
    assert "not ranked: guess: " in text
    row = next(line for line in text.splitlines() if " guess " in line)
    assert row.startswith("   –")
    assert "modelled: cpu-package-0" in row


def test_the_document(results: Path, joulemark) -> None:
    result = joulemark("score", "--json")
    assert result.stderr == ""
    shown = ScoreDocument.model_validate_json(result.stdout)
    assert shown.ruleset == "as-run"
    assert {score.entry.submission for score in shown.scores} == {"fast", "slow", "guess"}
    energy = [row for row in shown.leaderboard if row.prize == "energy"]
    assert [row.entry.submission for row in energy] == ["fast", "slow"]
    assert {row.unit for row in energy} == {"J"}
    assert all(row.low and row.low < row.score < (row.high or 0) for row in energy)


def test_the_same_results_give_the_same_bytes(results: Path, joulemark) -> None:
    assert joulemark("score", "--json").stdout == joulemark("score", "--json").stdout


def test_other_rules_can_be_applied(results: Path, document) -> None:
    shown = document("score", "--ruleset", "smoke")
    assert shown["ruleset"] == "smoke"
    assert {score["rules"]["ruleset"] for score in shown["scores"]} == {"smoke"}


def test_constants_can_be_changed(results: Path, document) -> None:
    shown = document("score", "--set", "run.seeds_count=2")
    assert all("run.seeds_count=2" in score["rules"]["ruleset"] for score in shown["scores"])


def test_a_flipped_byte_leaves_the_run_out_and_names_the_file(results: Path, joulemark) -> None:
    folder = write_run(results, Plan(name="late", source="l", seed=9))
    path = folder / "eval.json"
    path.write_bytes(path.read_bytes().replace(b"0.95", b"0.99"))
    result = joulemark("score")
    assert "eval.json" in result.stdout
    assert "left out" in result.stdout


def test_an_empty_folder_has_nothing(joulemark, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert "nothing to score" in joulemark("score").stdout
