"""Reads from a run's events what the measurement needs of them."""

import json
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S

_STEPS_MIN = 4


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """Events of `events.jsonl` in order; a line that a killed run left incomplete is skipped."""
    path = folder / "events.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def step_seconds(folder: Path) -> float | None:
    """Median length of a training step, s; None where the submission reported too few steps.

    It only serves to warn of a sensor that is synchronized with the steps; no score uses it.
    """
    steps = [
        (int(event["t_ns"]), step)
        for event in read_events(folder)
        if event.get("kind") in ("log", "snapshot")
        and isinstance(step := event.get("data", {}).get("step"), int)
    ]
    times = [
        (after_ns - before_ns) / (after - before) / NS_PER_S
        for (before_ns, before), (after_ns, after) in pairwise(steps)
        if after > before and after_ns > before_ns
    ]
    return statistics.median(times) if len(times) >= _STEPS_MIN else None
