"""How long a training step took, from what the submission claimed while it ran."""

import json
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from harness.clock import NS_PER_S

_LEAST_STEPS = 4


def _claims(path: Path) -> Iterator[tuple[int, int]]:
    """Stamps and step numbers of the claims in `events.jsonl`."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was killed
        step = event.get("data", {}).get("step")
        if event.get("kind") in ("log", "snapshot") and isinstance(step, int):
            yield int(event["t_ns"]), step


def step_seconds(path: Path) -> float | None:
    """Median seconds of a step; None where too few steps were claimed.

    It only serves to warn of a sensor in lockstep; nothing that is scored rests on it.
    """
    if not path.is_file():
        return None
    claims = list(_claims(path))
    times = [
        (after[0] - before[0]) / (after[1] - before[1]) / NS_PER_S
        for before, after in pairwise(claims)
        if after[1] > before[1] and after[0] > before[0]
    ]
    return statistics.median(times) if len(times) >= _LEAST_STEPS else None
