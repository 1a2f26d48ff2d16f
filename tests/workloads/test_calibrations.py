"""Every frozen target lies where the rule puts it on the committed record of its runs."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import workloads
from benchmarks.calibrate_plain import FIRST_SEED
from harness.registry import Plugin, discover, find
from harness.score.calibration import target_by_rule

FOLDER = Path(workloads.__file__).parent / "calibrations"
NAMES = [
    each.name
    for each in discover("workloads")
    if isinstance(each, Plugin) and each.source.origin == "built-in" and not each.value.packed
]
"""Targets of official workloads come from the contests that set them."""


@pytest.fixture(params=NAMES)
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((FOLDER / f"{request.param}.json").read_text())
    return fields


def test_every_workload_has_a_record_and_no_record_is_stray() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(NAMES)


def test_target_is_the_rules(record: dict[str, Any]) -> None:
    spec = find("workloads", record["workload"]).value
    finals = [run["metrics"][-1] for run in record["runs"]]
    expected = target_by_rule(finals, spec.metric.better, spec.metric.digits)
    assert spec.target.value == pytest.approx(expected)
    assert record["target"] == pytest.approx(expected)


def test_record_has_runs_enough_of_the_reference_with_distinct_seeds(
    record: dict[str, Any],
) -> None:
    """Twenty where a run takes seconds, five where it takes longer."""
    count = 20 if find("workloads", record["workload"]).value.size == "smoke" else 5
    assert record["submission"] == f"{record['workload']}-adamw"
    seeds = [run["seed"] for run in record["runs"]]
    assert seeds == list(range(FIRST_SEED, FIRST_SEED + count))


def test_summary_is_that_of_the_runs(record: dict[str, Any]) -> None:
    finals = [run["metrics"][-1] for run in record["runs"]]
    assert record["median"] == pytest.approx(statistics.median(finals), rel=1e-5)
    assert record["deviation"] == pytest.approx(statistics.stdev(finals), rel=1e-3, abs=1e-6)


def test_budget_leaves_nine_times_the_full_schedule(record: dict[str, Any]) -> None:
    spec = find("workloads", record["workload"]).value
    assert record["budget_s"] == spec.budget_s
    # A loaded machine inflates CPU seconds by some tenths, so the lower bound is looser.
    assert 7 * record["median_cpu_s"] <= spec.budget_s <= 9 * record["median_cpu_s"] + 5


FINALS = st.lists(st.floats(0.1, 0.99), min_size=3, max_size=30)


@given(FINALS)
def test_rule_is_never_beyond_the_worst_run_nor_the_loosened_median(finals: list[float]) -> None:
    spare = 3 * statistics.stdev(finals)
    high = target_by_rule(finals, "higher", 4)
    low = target_by_rule(finals, "lower", 4)
    median = statistics.median(finals)
    assert high <= min(*finals, median - spare) + 1e-9
    assert low >= max(*finals, median + spare) - 1e-9


@given(FINALS)
def test_rule_is_tight_to_its_rounding(finals: list[float]) -> None:
    loosened = statistics.median(finals) - 3 * statistics.stdev(finals)
    assert target_by_rule(finals, "higher", 4) > min(*finals, loosened) - 0.00101
