"""Idle power before and after a run."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.measure.events import idle_power
from harness.measure.series import Series
from tests.lab.waves import Sensor, Setting, Steps

S = 1_000_000_000
WAVE = Steps(np.array([-10.0, 10.0, 50.0, 200.0]), np.array([40.0, 300.0, 46.0]))
SETTING = Setting(WAVE, Sensor(update_s=0.01), "counter", (0.0, 60.0), lead_s=1.0)
BEFORE = [("idle_before", "begin", 0), ("idle_before", "end", 9 * S)]
AFTER = [("idle_after", "begin", 51 * S), ("idle_after", "end", 60 * S)]


def write(folder: Path, events: list[tuple[str, str, int]], series: Series | None) -> Path:
    lines = [
        json.dumps({"t_ns": t_ns, "kind": kind, "data": {"edge": edge}})
        for kind, edge, t_ns in events
    ]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n{torn")
    if series is not None:
        columns = zip(series.t_ns.tolist(), series.energy_j.tolist(), strict=True)
        rows = "".join(f"{t_ns},gpu-0,{joules!r},,1000\n" for t_ns, joules in columns)
        (folder / "trace.csv.gz").write_text(f"t_ns,domain,energy_j,power_w,u_ns\n{rows}")
    return folder


READINGS = SETTING.trace().columns["gpu-0"]


def test_idle_power_is_measured_before_and_after(tmp_path: Path):
    folder = write(tmp_path, BEFORE + AFTER, READINGS)
    (idle,) = idle_power(folder, [SETTING.domain()])
    assert idle.before_w == pytest.approx(40, abs=0.3)
    assert idle.after_w == pytest.approx(46, abs=0.3)
    assert idle.u_w is not None
    assert 0 < idle.u_w < 1


@pytest.mark.parametrize("events", [BEFORE, [*BEFORE, AFTER[0]]])
def test_what_was_not_measured_is_missing(tmp_path: Path, events: list[tuple[str, str, int]]):
    folder = write(tmp_path, events, READINGS)
    measured, absent = idle_power(folder, [SETTING.domain(), SETTING.domain(name="gpu-7")])
    assert measured.before_w == pytest.approx(40, abs=0.3)
    assert measured.after_w is None
    assert (absent.before_w, absent.after_w, absent.u_w) == (None, None, None)


def test_a_run_without_idle_time_or_trace_has_no_idle_power(tmp_path: Path):
    assert idle_power(tmp_path, [SETTING.domain()]) == ()
    assert idle_power(write(tmp_path, BEFORE, None), [SETTING.domain()]) == ()
