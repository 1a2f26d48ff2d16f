"""What was watched during a run is judged by its worst moment."""

import gzip
from pathlib import Path

import pytest

from harness.measure.watch import read_vitals, watched
from harness.records import MachineFact


def vitals(folder: Path, **columns: list[float]) -> Path:
    rows = ["t_ns,name,value"]
    for name, values in columns.items():
        rows += [f"{t},{name.replace('_', '-')},{value}" for t, value in enumerate(values)]
    (folder / "vitals.csv.gz").write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
    return folder


def judged(folder: Path, **columns: list[float]) -> dict[str, MachineFact]:
    return {fact.id: fact for fact in watched(vitals(folder, **columns))}


@pytest.mark.parametrize(
    ("name", "values", "value", "verdict"),
    [
        ("pswpin_pages", [5, 5, 5], 0, "ok"),
        ("pswpout_pages", [5, 5, 9], 4, "fail"),
        ("cpu_throttle_count", [1, 2], 1, "fail"),
        ("gpu_0_throttle_reasons", [0, 4, 0], 4, "ok"),
        ("gpu_0_throttle_reasons", [0, 0x40, 4], 0x44, "fail"),
        ("gpu_0_power_limit_w", [400, 400], 400, "ok"),
        ("gpu_0_power_limit_w", [400, 300], 400, "fail"),
        ("temperature_max_c", [40, 80, 60], 80, "recorded"),
        ("clock_wall_drift_s", [0, -2, 1], -2, "recorded"),
    ],
)
def test_the_worst_moment_decides(tmp_path, name, values, value, verdict):
    (fact,) = judged(tmp_path, **{name: values}).values()
    assert (fact.value, fact.verdict) == (value, verdict)
    assert bool(fact.advice) == (verdict == "fail")


def test_stolen_time_is_a_share_of_the_runs_own_ticks(tmp_path):
    columns = {
        "cpu_total_ticks": [1000.0, 2000.0],
        "cpu_busy_ticks": [100.0, 600.0],
        "cpu_steal_ticks": [900.0, 950.0],
    }
    result = judged(tmp_path, **columns)
    assert result["cpu-steal-ratio"].value == pytest.approx(0.05)
    assert result["cpu-steal-ratio"].verdict == "fail"
    assert result["cpu-busy-ratio"].value == pytest.approx(0.5)


def test_a_run_without_vitals_has_no_facts(tmp_path):
    assert watched(tmp_path) == []


def test_rows_that_a_killed_sampler_cut_short_are_passed_over(tmp_path):
    text = "t_ns,name,value\n1,load-average,0.5\n2,load-average,\n3,load"
    (tmp_path / "vitals.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_vitals(tmp_path) == {"load-average": [(1, 0.5)]}
