"""`joulemark compare`: ratios, the bridge, and a gate that fails only on what is shown."""

from pathlib import Path

import pytest

from harness.cli.verbs.compare import CompareDocument
from tests.lab.results import Plan, rules, series


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A base, one that is slower for certain, a twin, and one on another machine."""
    folder = tmp_path / "results"
    plan = Plan(rules=rules("mild", seeds_count=3), ruleset="mild")
    series(folder, plan.but(name="base", source="b"), [9.0, 9.1, 9.2])
    series(folder, plan.but(name="slow", source="s"), [13.0, 13.2, 13.1])
    series(folder, plan.but(name="twin", source="t"), [9.1, 9.0, 9.2])
    series(folder, plan.but(name="away", source="a", machine="rack"), [9.1, 9.0, 9.2])
    return folder


def test_the_page_says_how_much_and_why(results: Path, joulemark) -> None:
    result = joulemark("compare", "base", "slow")
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "time_to_target_s" in line)
    assert "worse" in row
    assert "1.43" in row or "1.44" in row
    assert "slow needs" in result.stdout
    assert "steps" in result.stdout


def test_the_document(results: Path, joulemark) -> None:
    shown = CompareDocument.model_validate_json(
        joulemark("compare", "base", "slow", "--json").stdout
    )
    (one,) = shown.comparisons
    assert {ratio.quantity for ratio in one.ratios} == {"time_to_target_s", "energy_to_target_j"}
    assert all(ratio.outcome == "worse" for ratio in one.ratios)
    assert shown.gate == ()


@pytest.mark.parametrize(
    ("other", "per_cent", "code", "verdict"),
    [
        ("slow", "10", 4, "fail"),
        ("slow", "90", 0, "pass"),
        ("twin", "10", 0, "pass"),
        ("twin", "0", 0, "unclear"),
    ],
)
@pytest.mark.usefixtures("results")
def test_the_gate(joulemark, other: str, per_cent: str, code: int, verdict: str) -> None:
    result = joulemark("compare", "base", other, "--gate", per_cent, "--json")
    assert result.exit_code == code
    shown = CompareDocument.model_validate_json(result.stdout)
    assert {item.verdict for item in shown.gate} == {verdict}


def test_unknown_names_are_helped_with(results: Path, joulemark) -> None:
    result = joulemark("compare", "bace", "slow")
    assert result.exit_code == 2
    assert "did you mean base" in result.stderr


def test_entries_on_different_machines_are_not_compared(results: Path, joulemark) -> None:
    result = joulemark("compare", "base", "away")
    assert result.exit_code == 2
    assert "share no workload, machine and ruleset" in result.stderr


def test_joules_that_are_no_measurement_say_so(results: Path, joulemark) -> None:
    for name, seconds in (("guess", [9.0, 9.1, 9.2]), ("worse", [29.0, 29.1, 29.2])):
        plan = Plan(rules=rules("mild", seeds_count=3), ruleset="mild", method="modelled")
        series(results, plan.but(name=name, source=name), seconds)
    page = joulemark("compare", "guess", "worse").stdout
    (row,) = (line for line in page.splitlines() if line.startswith("energy_to_target_j"))
    assert row.split()[1] == "modelled"
    assert "these joules are modelled, not measured" in page
    assert "not measured" not in joulemark("compare", "base", "slow").stdout
    text = joulemark("compare", "guess", "worse", "--json").stdout
    (one,) = CompareDocument.model_validate_json(text).comparisons
    assert {ratio.quantity: ratio.method for ratio in one.ratios} == {
        "time_to_target_s": None, "energy_to_target_j": "modelled"
    }  # fmt: skip


def test_a_gate_does_not_fail_without_pairs(results: Path, joulemark) -> None:
    """Forty per cent more, some hours later and without a run in turn: the machine may be why."""
    plan = Plan(rules=rules("mild", seeds_count=3), ruleset="mild", started_s=50000)
    series(results, plan.but(name="later", source="l"), [13.0, 13.2, 13.1])
    result = joulemark("compare", "base", "later", "--gate", "10")
    assert result.exit_code == 0
    assert "gate: time_to_target_s on toy: unclear" in result.stdout
    assert "their runs are not paired" in result.stdout
