"""The length of a training step, from the events of a run."""

import json
from pathlib import Path

import pytest

from harness.measure.events import step_seconds


def events(path: Path, *rows: tuple[float, int | None], kind: str = "log") -> Path:
    lines = [
        json.dumps({"t_ns": round(t_s * 1e9), "kind": kind, "data": {"step": step}})
        for t_s, step in rows
    ]
    path.mkdir()
    (path / "events.jsonl").write_text("\n".join(lines) + "\n")
    return path


def test_the_median_over_events_is_taken(tmp_path):
    rows = [(0.0, 0), (1.0, 10), (2.0, 20), (12.0, 30), (13.0, 40), (14.0, 50)]
    assert step_seconds(events(tmp_path / "e", *rows)) == pytest.approx(0.1)


def test_too_few_events_show_nothing(tmp_path):
    assert step_seconds(events(tmp_path / "e", (0.0, 0), (1.0, 10))) is None
    assert step_seconds(events(tmp_path / "f", *[(t, None) for t in range(9)])) is None
    assert step_seconds(events(tmp_path / "g", *[(t, t) for t in range(9)], kind="span")) is None
    assert step_seconds(tmp_path / "missing") is None


def test_steps_that_stand_still_or_run_back_are_passed_over(tmp_path):
    rows = [(0.0, 0), (1.0, 10), (1.5, 10), (2.0, 5), (3.0, 15), (4.0, 25), (5.0, 35)]
    assert step_seconds(events(tmp_path / "e", *rows)) == pytest.approx(0.1)
