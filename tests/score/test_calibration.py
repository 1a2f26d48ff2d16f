"""The rule for targets, from sealed runs; agrees with the rehearsals' own statement of it."""

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundle import Bundle
from harness.records import dump, load
from harness.score.calibration import (
    Calibration,
    CalibrationError,
    CalibrationRun,
    Subject,
    calibrate,
    lead_of,
    summed,
    target_by_rule,
)
from tests.lab.results import Plan, write_run

FINALS = st.lists(st.floats(0.1, 0.99), min_size=2, max_size=30)


@given(FINALS)
def test_both_directions_are_mirror_images(finals: list[float]) -> None:
    high = target_by_rule(finals, "higher", 4)
    low = target_by_rule([-final for final in finals], "lower", 4)
    assert high == pytest.approx(-low)
    assert high <= min(finals) + 1e-9


@given(st.floats(0.001, 0.3))
def test_lead_grows_with_the_spread_and_shrinks_with_seeds(deviation: float) -> None:
    few, many, wide = lead_of(deviation), lead_of(deviation, 32), lead_of(1.2 * deviation)
    assert few is not None
    assert many is not None
    assert wide is not None
    assert many < few < wide


def bundles(root: Path, finals: tuple[float, ...], **changes: object) -> list[Bundle]:
    made = []
    for seed, final in enumerate(finals):
        plan = Plan(seed=seed, snapshots=((5.0 + seed, 0.5), (10.0 + seed, final)))
        made.append(Bundle(write_run(root, plan.but(**changes))))
    return made


def test_record_is_that_of_the_runs(tmp_path: Path) -> None:
    record = calibrate(bundles(tmp_path, (0.95, 0.962, 0.94)), 4)
    assert (record.median, record.worst) == (0.95, 0.94)
    # 0.95 - 3 x 0.0110 = 0.9169, rounded towards easy at the third digit.
    assert record.target == pytest.approx(0.916)
    assert record.suggested_budget_s == pytest.approx(33.0)
    assert [run.metrics for run in record.runs] == [(0.5, 0.95), (0.5, 0.962), (0.5, 0.94)]
    assert record.resolvable_ratio is not None


def test_broken_or_lone_runs_calibrate_nothing(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="crashed"):
        calibrate(bundles(tmp_path / "a", (0.9, 0.9), status="crashed"), 4)
    with pytest.raises(CalibrationError, match="no spread"):
        calibrate(bundles(tmp_path / "b", (0.9,)), 4)


SUBJECT = Subject("toy", None, "toy-adamw", None, "higher", 4, 0.9, 10.0)


def dry_run(seed: int, final: float, cpu_s: float) -> CalibrationRun:
    return CalibrationRun(
        seed=seed,
        steps=(10, 20),
        cpu_s=(cpu_s / 2, cpu_s),
        metrics=(0.5, final),
        losses=(None, None),
        total_cpu_s=cpu_s,
        predict_cpu_s=None,
    )


def test_cpu_seconds_stand_in_where_no_clock_was_kept() -> None:
    runs = [dry_run(index, 0.95 + index / 1000, 4.0 + index) for index in range(3)]
    record = summed(SUBJECT, runs)
    assert record.suggested_budget_s == pytest.approx(15.0)
    assert record.median_steps_to_target == 20
    assert record.time_spread_ratio == pytest.approx(statistics.stdev(map(math.log, (4, 5, 6))))
    assert (record.machine, record.workload_version, record.peak_rss_bytes) == (None, None, None)
    assert load(Calibration, dump(record), "here") == record


def test_a_run_without_any_clock_calibrates_nothing() -> None:
    runs = [dry_run(index, 0.95, 4.0).model_copy(update={"cpu_s": None}) for index in range(2)]
    with pytest.raises(CalibrationError, match="seed 0 has neither seconds nor CPU seconds"):
        summed(SUBJECT, runs)


def test_no_runs_at_all_are_reported() -> None:
    with pytest.raises(CalibrationError, match="0 runs show no spread"):
        calibrate([], 4)
