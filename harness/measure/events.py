"""What the measurement takes from a run's events: the length of a step, and the idle power."""

import json
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S
from harness.measure.energy import EnergyReader
from harness.measure.trace import TraceError, read_trace
from harness.records import Domain, IdlePower

_STEPS_MIN = 4

Interval = tuple[int, int]
"""Begin and end, ns."""


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


def idle_power(folder: Path, domains: Sequence[Domain]) -> tuple[IdlePower, ...]:
    """Mean idle power of every domain in the intervals that the run reserved for it.

    Args:
        folder: the bundle, with its trace and `events.jsonl`.
        domains: the domains that were read.

    Returns:
        Nothing where the run reserved no interval, or where its trace cannot be read.
    """
    before, after = (_idle_interval(folder, kind) for kind in ("idle_before", "idle_after"))
    if before is None and after is None:
        return ()
    try:
        reader = EnergyReader(read_trace(folder / "trace.csv.gz"), domains)
    except TraceError:
        return ()
    return tuple(_idle_of_domain(reader, domain.name, before, after) for domain in domains)


def _idle_interval(folder: Path, kind: str) -> Interval | None:
    edges = {
        event["data"]["edge"]: int(event["t_ns"])
        for event in read_events(folder)
        if event.get("kind") == kind
    }
    begin_ns, end_ns = edges.get("begin"), edges.get("end")
    return (begin_ns, end_ns) if begin_ns is not None and end_ns and end_ns > begin_ns else None


def _idle_of_domain(
    reader: EnergyReader, name: str, before: Interval | None, after: Interval | None
) -> IdlePower:
    means: list[float | None] = []
    doubts: list[float] = []
    for interval in (before, after):
        energy = reader.energy(name, *interval) if interval else None
        if interval is None or energy is None or energy.energy_j is None:
            means.append(None)
            continue
        duration_s = (interval[1] - interval[0]) / NS_PER_S
        means.append(energy.energy_j / duration_s)
        # The gain error is the same before and after the run.
        terms = [value for term, value in energy.terms.items() if term != "gain"]
        doubts.append(sum(value * value for value in terms) ** 0.5 / duration_s)
    return IdlePower(
        domain=name, before_w=means[0], after_w=means[1], u_w=max(doubts, default=None)
    )
