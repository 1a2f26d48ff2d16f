"""Every frozen target lies where the rule puts it on the committed record of its runs."""

import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workloads
from benchmarks.calibrate_plain import compact, spread_of
from harness.records import load
from harness.registry import Plugin, discover, find
from harness.score.calibration import (
    Calibration,
    Subject,
    committed_record,
    summed,
    target_by_rule,
)

FOLDER = Path(workloads.__file__).parent / "calibrations"
NAMES = [
    item.name
    for item in discover("workloads")
    if isinstance(item, Plugin)
    and item.source.origin == "built-in"
    and item.value.size != "official"
]
"""Targets of official workloads come from the contests that set them."""


DRAWN = [name for name in NAMES if find("workloads", name).value.secrecy in ("varied", "seeded")]


def read(name: str) -> Calibration:
    path = FOLDER / f"{name}.json"
    return load(Calibration, path.read_bytes(), path)


@pytest.fixture(params=NAMES)
def record(request: pytest.FixtureRequest) -> Calibration:
    return read(request.param)


def test_every_workload_has_a_record_and_no_record_is_stray() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(NAMES)


def test_record_is_located_by_its_workload(record: Calibration) -> None:
    assert committed_record(record.workload) == record
    assert committed_record("no-such-workload") is None


def test_target_is_the_rules(record: Calibration) -> None:
    spec = find("workloads", record.workload).value
    finals = [run.metrics[-1] for run in record.runs]
    expected = target_by_rule(finals, spec.metric.better, spec.metric.digits)
    assert spec.target.value == pytest.approx(expected)
    assert record.target == record.frozen_target == pytest.approx(expected)
    assert record.better == spec.metric.better


def test_derivation_cites_the_records_figures(record: Calibration) -> None:
    text = find("workloads", record.workload).value.target.derivation
    assert f"{len(record.runs)} runs of {record.submission}" in text
    cited = [float(item) for item in re.findall(r"\(([0-9.]*[0-9])", text)]
    for value in (record.median, record.deviation):
        assert any(abs(item - value) <= max(6e-5, 5e-3 * value) for item in cited), (cited, value)


def test_record_has_runs_enough_of_the_reference_with_distinct_seeds(record: Calibration) -> None:
    """Twenty where a run takes seconds, five where it takes longer."""
    least = 20 if find("workloads", record.workload).value.size == "smoke" else 5
    assert record.submission == f"{record.workload}-adamw"
    assert len({run.seed for run in record.runs}) == len(record.runs) >= least


def test_every_run_has_one_clock_that_runs_forward(record: Calibration) -> None:
    """Seconds of a run through the harness, or CPU seconds of a rehearsal; never both."""
    for run in record.runs:
        clocks = [item for item in (run.time_s, run.cpu_s) if item is not None]
        (clock,) = clocks
        assert len(clock) == len(run.metrics) == len(run.steps)
        assert clock[0] > 0
        assert list(clock) == sorted(clock)
        assert run.total_cpu_s is not None
        assert run.total_cpu_s > 0


def test_peaks_are_those_of_a_process_with_torch_or_unknown(record: Calibration) -> None:
    peaks = [run.peak_rss_bytes for run in record.runs if run.peak_rss_bytes is not None]
    assert all(100e6 < peak < 4e9 for peak in peaks)
    assert record.peak_rss_bytes == max(peaks, default=None)


def test_summary_is_that_of_the_runs(record: Calibration) -> None:
    spec = find("workloads", record.workload).value
    subject = Subject(
        workload=record.workload,
        workload_version=record.workload_version,
        submission=record.submission,
        machine=record.machine,
        better=record.better,
        digits=spec.metric.digits,
        frozen_target=record.frozen_target,
        budget_s=spec.budget_s,
    )
    again = summed(subject, record.runs).model_dump(exclude={"runs", "instances"})
    for name, value in record.model_dump(exclude={"runs", "instances"}).items():
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, rel=2e-3, abs=1e-6), name
        else:
            assert again[name] == value, name


def test_budget_leaves_nine_times_the_full_schedule(record: Calibration) -> None:
    budget_s = find("workloads", record.workload).value.budget_s
    assert record.budget_s == budget_s
    ended_early = len({run.steps[-1] for run in record.runs}) > 1
    spent_s = [run.total_cpu_s for run in record.runs if run.total_cpu_s is not None]
    full_s = max(spent_s) if ended_early else statistics.median(spent_s)
    # A loaded machine inflates CPU seconds by some tenths, so the lower bound is looser.
    assert 7 * full_s <= budget_s <= 9 * full_s + 5


@pytest.mark.parametrize("name", DRAWN)
def test_instances_are_different_from_runs(name: str) -> None:
    spread = read(name).instances
    assert spread is not None
    assert spread.instances_count >= 8
    assert spread.runs_per_instance >= 3
    assert spread.deviation_runs > 0
    # No instance is a class of its own.
    assert spread.deviation_instances < 2 * spread.deviation_runs


def test_spread_between_instances_is_what_runs_leave() -> None:
    generator = np.random.default_rng(0)
    level = generator.normal(0, 3, (4_000, 1))
    result = spread_of(level + generator.normal(0, 1, (4_000, 3)))
    assert result.deviation_runs == pytest.approx(1, rel=0.05)
    assert result.deviation_instances == pytest.approx(3, rel=0.05)
    alike = spread_of(np.array([[0.0, 2.0], [2.0, 0.0], [1.0, 1.0]]))
    assert alike.deviation_instances == 0


def test_compact_records_read_back_to_six_digits(record: Calibration) -> None:
    text = compact(record)
    assert Calibration.model_validate_json(text) == record
    assert text == (FOLDER / f"{record.workload}.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(record.runs) + 2


FINALS = st.lists(st.floats(0.1, 0.99), min_size=3, max_size=30)


def test_runs_at_a_cap_leave_room_below_it() -> None:
    assert target_by_rule([500.0] * 20, "higher", 0) == 490
    assert target_by_rule([1.0] * 20, "higher", 3) == pytest.approx(0.99)
    assert target_by_rule([0.0] * 20, "lower", 3) == pytest.approx(0.01)


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
    loosened = statistics.median(finals) - 3 * max(statistics.stdev(finals), 1e-4)
    assert target_by_rule(finals, "higher", 4) > min(*finals, loosened) - 0.00101
