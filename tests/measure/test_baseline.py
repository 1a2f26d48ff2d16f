"""Idle power before and after a run, and whether its drift is real."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.measure.baseline import idle, idle_of_run, idle_windows
from tests.lab.waves import Sensor, Setting, Steps

S = 1_000_000_000


def setting(after_w: float) -> Setting:
    wave = Steps(np.array([-10.0, 10.0, 50.0, 200.0]), np.array([40.0, 300.0, after_w]))
    return Setting(wave, Sensor(update_s=0.01), "counter", (0.0, 60.0), lead_s=1.0)


def test_idle_power_is_told_for_both_sides_with_its_drift():
    case = setting(46.0)
    told = idle(case.trace(), case.domain(), (0, 9 * S), (51 * S, 60 * S))
    assert told.before_w == pytest.approx(40, abs=0.3)
    assert told.after_w == pytest.approx(46, abs=0.3)
    assert told.drift_w == pytest.approx(6, abs=0.5)
    assert told.drift_is_real


def test_a_drift_below_the_uncertainty_is_not_real():
    case = setting(40.0)
    told = idle(case.trace(), case.domain(), (0, 9 * S), (51 * S, 60 * S))
    assert told.drift_w == pytest.approx(0, abs=0.3)
    assert not told.drift_is_real


def test_what_was_not_measured_is_missing():
    case = setting(40.0)
    told = idle(case.trace(), case.domain(), (0, 9 * S), None)
    assert told.after_w is None
    assert told.drift_w is None
    assert not told.drift_is_real
    nothing = idle(case.trace(), case.domain(name="gpu-7"), (0, 9 * S), (51 * S, 60 * S))
    assert nothing.before_w is None


def test_the_windows_come_from_the_runs_events(tmp_path: Path):
    events = [
        {"t_ns": 0, "kind": "idle_before", "data": {"edge": "begin"}},
        {"t_ns": 9 * S, "kind": "idle_before", "data": {"edge": "end"}},
        {"t_ns": 10 * S, "kind": "gun", "data": {}},
        {"t_ns": 51 * S, "kind": "idle_after", "data": {"edge": "begin"}},
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, events)) + "\n{torn")
    assert idle_windows(path) == {"idle_before": (0, 9 * S)}
    case = setting(40.0)
    (told,) = idle_of_run(case.trace(), [case.domain()], path)
    assert told.before_w == pytest.approx(40, abs=0.3)
    assert told.after_w is None
    assert idle_of_run(case.trace(), [case.domain()], tmp_path / "none.jsonl") == []
