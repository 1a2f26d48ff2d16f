"""What all fields share: targets as data, intervals, findings that travel from import to score."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.scoring import Cell, Contender, figure, goals, standings, told_apart
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedRules, Ruleset
from harness.rules.load import load_ruleset
from tests.archives.mlperf.made import Power, Run, write_package


@pytest.mark.parametrize(
    ("text", "better", "value"),
    [
        ("w: loss <= 0.5", "lower", 0.5),
        ("w: accuracy>=94", "higher", 94.0),
        ("w:x y >= 1e-3", "higher", 1e-3),
    ],
)
def test_targets_are_read(text: str, better: str, value: float) -> None:
    goal = goals([text])["w"]
    assert (goal.better, goal.value) == (better, value)
    assert goal.reached(value)
    assert not goal.reached(None)
    assert not goal.reached(float("nan"))


@pytest.mark.parametrize("text", ["w loss <= 1", "w: loss < 1", "w: loss <= low", ""])
def test_bad_targets_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="WORKLOAD: METRIC"):
        goals([text])


@given(st.lists(st.floats(1.0, 1e6), min_size=2, max_size=8), st.floats(0.9, 1.1))
def test_intervals_hold_their_value_and_have_a_width(costs: list[float], factor: float) -> None:
    value = factor * sum(costs) / len(costs)
    found = figure(value, costs, 0.95)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= value <= found.high
    assert found.low < found.high


def test_one_run_has_no_interval_and_failures_open_the_end() -> None:
    assert figure(3.0, [3.0], 0.95).low is None
    assert figure(3.0, [2.0, 3.0], 0.95, open_ended=True).high is None


def test_equal_scores_share_a_rank() -> None:
    cells = [Cell("w", name, "m") for name in "abc"]
    rows = standings([Contender(cell, 1.0, None, None) for cell in cells], set(), "x")
    assert [row.rank for row in rows] == [1, 1, 1]
    assert {(row.rank_low, row.rank_high) for row in rows} == {(1, 3)}


def test_costs_far_apart_are_told_apart_and_single_runs_never() -> None:
    one, two = Cell("w", "a", "m"), Cell("w", "b", "m")
    assert told_apart({one: [1.0, 1.01, 1.02], two: [9.0, 9.1, 9.2]}, 0.05) == {(one, two)}
    assert told_apart({one: [1.0], two: [9.0, 9.1]}, 0.05) == set()


def test_what_the_importer_found_is_told_with_the_scores(tmp_path: Path) -> None:
    runs = [Run(run_s=100.0 + i, nodes=(Power(every_s=2.0),)) for i in range(5)]
    import_archive("mlperf-training", write_package(tmp_path / "acme", runs), tmp_path / "r")
    found = score_imported(tmp_path / "r", load_ruleset("mlperf-training")).findings
    message = next(item.message for item in found if item.rule == "mlperf-power-gap")
    assert message.startswith("5 of 5 records: ")


def test_rules_for_bundles_score_no_imports(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scores bundles"):
        score_imported(tmp_path, load_ruleset("default"))


def test_nothing_imported_says_what_to_do(tmp_path: Path) -> None:
    rules = Ruleset(name="x", title="x", imported=ImportedRules(source_format="algoperf"))
    (finding,) = score_imported(tmp_path, rules).findings
    assert finding.advice.startswith("joulemark import algoperf PATH")
