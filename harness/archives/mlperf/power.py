"""Joules of an MLPerf power log by three formulas, and what is wrong with the log.

Formulas, with p in watts and t in milliseconds, TTT the time from run_start to run_stop:

- `mlperf-current` (`_compute_power_node` of mlperf-logging since August 2024): lines by time,
  eff · Σ p_i (t_i - t_{i-1}) · TTT / (stop - start) / 1000 over readings from start to stop. It is
  the mean power of the measurement times the time of the run, and undefined for stop = start.
- `mlperf-2024-06` (the same before pull request 378, behind the energies of round 4.0): lines in
  the order of the file up to the stop line, and stop = max(stop, last reading).
- `window`: eff · ∫ p dt over run_start to run_stop, linear between readings, the first and last
  reading carried to the edges where these are near.

A switch counts with its estimated power times TTT. Where its log holds readings instead, MLPerf's
code counts nothing; `window` integrates them, or takes their mean where its clock is off.
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.archives.mlperf.lines import Line, as_number, parse_log
from harness.formats.text import Text, read_text
from harness.records import Finding, PowerFile

START = "power_measurement_start"
STOP = "power_measurement_stop"
READING = "power_reading"
CONVERSION = "conversion_eff"
ESTIMATE = "interconnect_power_est"
KEYS = frozenset({START, STOP, READING, CONVERSION, ESTIMATE})

CARRY_INTERVALS = 3.0
"""Median intervals over which the first or last reading stands in for the run's edge."""

CARRY_S_MIN = 2.0
"""The same in seconds, for logs whose clock has whole seconds."""

COVERAGE_MIN = 0.95
"""Least part of the run that readings must cover for joules over the window."""

Reading = tuple[float, float]
"""Time in milliseconds and power in watts."""


class Window(NamedTuple):
    """The timed run on the log's clock."""

    start_ms: float
    stop_ms: float

    @property
    def length_ms(self) -> float:
        """Time to train."""
        return self.stop_ms - self.start_ms


class Mark(NamedTuple):
    """A line of a power log: a reading, or the start or stop of the measurement."""

    time_ms: float
    watts: float | None
    """None for starts and stops."""
    key: str


class Readings(NamedTuple):
    """What a power log says, in the order of the file."""

    marks: list[Mark]
    conversion: float
    measured: str
    estimate_w: float | None
    """Declared power of an interconnect."""

    def sorted_by_time(self) -> list[Reading]:
        """All readings; those of one moment keep the order of the file."""
        found = [(mark.time_ms, mark.watts) for mark in self.marks if mark.watts is not None]
        return sorted(found, key=lambda reading: reading[0])


class PowerLog(NamedTuple):
    """One file, read."""

    file: PowerFile
    values: tuple[float, ...]
    """The readings alone: a copied file shows by them even under another head."""
    findings: tuple[Finding, ...]


def _marks(lines: list[Line]) -> list[Mark]:
    """Readings that are numbers, starts and stops."""
    found = []
    for line in lines:
        watts = as_number(line.value) if line.key == READING else None
        if watts is not None or line.key in (START, STOP):
            found.append(Mark(line.time_ms, watts, line.key))
    return found


def _readings(lines: list[Line]) -> Readings:
    conversion, measured, estimate = 1.0, "", None
    for line in lines:
        if line.key == CONVERSION and (value := as_number(line.value)) is not None:
            conversion = value
            measured = str(line.metadata.get("measurement_type", ""))
        elif line.key == ESTIMATE and estimate is None:
            estimate = as_number(line.value)
    return Readings(_marks(lines), conversion, measured, estimate)


def current_energy(readings: Readings, window: Window) -> float | None:
    """`mlperf-current` in joules; None where the formula divides by zero or has no start."""
    start = stop = previous = last = None
    total = 0.0
    for time_ms, watts, key in sorted(readings.marks, key=lambda mark: mark.time_ms):
        if watts is None:
            if key == START:
                start = previous = time_ms
            else:
                stop = time_ms
        elif previous is not None and stop is None:
            total += watts * (time_ms - previous)
            previous = last = time_ms
    return _scaled(readings, window, total, (start, last if stop is None else stop))


def june_energy(readings: Readings, window: Window) -> float | None:
    """`mlperf-2024-06` in joules; None where the formula divides by zero or has no start."""
    start = stop = previous = None
    last, total = -math.inf, 0.0
    for time_ms, watts, key in readings.marks:
        if watts is not None and previous is not None:
            total += watts * (time_ms - previous)
            previous, last = time_ms, max(last, time_ms)
        elif key == START:
            start = previous = time_ms
        elif key == STOP:
            stop = max(time_ms, last)
            break
    return _scaled(readings, window, total, (start, last if stop is None else stop))


def _scaled(
    readings: Readings, window: Window, total: float, ends: tuple[float | None, float | None]
) -> float | None:
    start, stop = ends
    if start is None or stop is None or not math.isfinite(stop) or stop == start:
        return None
    return readings.conversion * total * window.length_ms / (stop - start) / 1000


def _carry_ms(points: Sequence[Reading]) -> float:
    """How far from the first and the last reading these still say what the power was."""
    typical = statistics.median(b[0] - a[0] for a, b in pairwise(points))
    return max(CARRY_S_MIN * 1000, CARRY_INTERVALS * typical)


def _covered(points: Sequence[Reading], window: Window) -> float:
    """Part of the window that lies between readings, or near the first or last one."""
    carry_ms = _carry_ms(points)
    low = max(window.start_ms, points[0][0] - carry_ms)
    high = min(window.stop_ms, points[-1][0] + carry_ms)
    return max(0.0, high - low) / window.length_ms


def _at(points: Sequence[Reading], time_ms: float) -> float:
    """Power at a moment: linear between readings, beyond them that of the nearest one."""
    after = bisect_left(points, time_ms, key=lambda reading: reading[0])
    if after in (0, len(points)):
        return points[min(after, len(points) - 1)][1]
    a, b = points[after - 1], points[after]
    return a[1] + (b[1] - a[1]) * (time_ms - a[0]) / (b[0] - a[0])


def integral(points: Sequence[Reading], window: Window) -> float | None:
    """∫ p dt over the window in joules, without conversion; None where too little is covered.

    Args:
        points: Readings sorted by time.
        window: Whatever its length; without one there is no integral.
    """
    if len(points) < 2 or window.length_ms <= 0:  # noqa: PLR2004 - two make an interval
        return None
    if _covered(points, window) < COVERAGE_MIN:
        return None
    start, stop = window
    inside = [reading for reading in points if start < reading[0] < stop]
    closed = [(start, _at(points, start)), *inside, (stop, _at(points, stop))]
    return math.fsum((a[1] + b[1]) * (b[0] - a[0]) for a, b in pairwise(closed)) / 2000


def _gap_ms(points: Sequence[Reading], window: Window) -> float | None:
    """Greatest time without a reading inside the window, its edges included."""
    inside = [time_ms for time_ms, _ in points if window.start_ms < time_ms < window.stop_ms]
    marks = [window.start_ms, *inside, window.stop_ms]
    before = max((t for t, _ in points if t <= window.start_ms), default=None)
    after = min((t for t, _ in points if t >= window.stop_ms), default=None)
    if not inside and (before is None or after is None):
        return None
    marks[0] = before if before is not None else marks[0]
    marks[-1] = after if after is not None else marks[-1]
    return max(b - a for a, b in pairwise(marks))


def _node_energies(
    readings: Readings, points: Sequence[Reading], window: Window
) -> dict[str, float]:
    over = integral(points, window)
    found = {
        "mlperf-current": current_energy(readings, window),
        "mlperf-2024-06": june_energy(readings, window),
        "window": None if over is None else readings.conversion * over,
    }
    return {method: joules for method, joules in found.items() if joules is not None}


def _switch_energies(
    readings: Readings, points: Sequence[Reading], window: Window
) -> dict[str, float]:
    if readings.estimate_w is not None:
        joules = readings.conversion * readings.estimate_w * window.length_ms / 1000
        return dict.fromkeys(("mlperf-current", "mlperf-2024-06", "window"), joules)
    found = {"mlperf-current": 0.0, "mlperf-2024-06": 0.0}
    if points:
        over = integral(points, window)
        if over is None:
            over = statistics.fmean(watts for _, watts in points) * window.length_ms / 1000
        found["window"] = readings.conversion * over
    return found


def _file(
    text: Text, source: str, readings: Readings, points: Sequence[Reading], window: Window
) -> PowerFile:
    switch = text.path.name.startswith("sw")
    energies = _switch_energies if switch else _node_energies
    gap_ms = _gap_ms(points, window)
    return PowerFile(
        source=source,
        sha256=text.sha256,
        kind="switch" if switch else "node",
        readings_count=len(points),
        window_readings_count=sum(window.start_ms <= t <= window.stop_ms for t, _ in points),
        span_s=(points[-1][0] - points[0][0]) / 1000 if points else None,
        gap_max_s=None if gap_ms is None else gap_ms / 1000,
        duplicates_count=len(points) - len({time_ms for time_ms, _ in points}),
        conversion_ratio=readings.conversion,
        measured=readings.measured,
        energy_by_method_j=energies(readings, points, window),
    )


def _first(readings: Readings, key: str) -> float | None:
    return next((mark.time_ms for mark in readings.marks if mark.key == key), None)


def _markers(path: Path, readings: Readings, *, switch: bool) -> list[Finding]:
    """What is wrong with the start and stop lines of a node's log."""
    if switch:
        return []
    start, stop = _first(readings, START), _first(readings, STOP)
    if start is None:
        message = f"{path}: no power_measurement_start, so MLPerf's formulas give nothing"
        return [Finding(rule="mlperf-power-start", level="warn", message=message)]
    if stop is None:
        message = f"{path}: no power_measurement_stop; the last reading stands in for it"
        return [Finding(rule="mlperf-power-stop", level="warn", message=message)]
    if stop == start:
        message = (
            f"{path}: power_measurement_stop carries the time of the start; MLPerf's current "
            "formula divides by zero here"
        )
        return [Finding(rule="mlperf-power-stop", level="warn", message=message)]
    return []


def read_power(path: Path, source: str, window: Window) -> PowerLog:
    """One power log of a run.

    Raises:
        TextError: the file cannot be read.
    """
    text = read_text(path)
    log = parse_log(path, text.lines, KEYS)
    readings = _readings(log.lines)
    points = readings.sorted_by_time()
    file = _file(text, source, readings, points, window)
    findings = [*log.findings, *_markers(path, readings, switch=file.kind == "switch")]
    return PowerLog(file, tuple(watts for _, watts in points), tuple(findings))
