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
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.archives.mlperf.lines import Line, as_number, parse_log
from harness.formats.format import make_finding
from harness.formats.text import read_text
from harness.measure.power import integrate
from harness.records import Finding, PowerFile

START = "power_measurement_start"
STOP = "power_measurement_stop"
READING = "power_reading"
CONVERSION = "conversion_eff"
ESTIMATE = "interconnect_power_est"
KEYS = frozenset({START, STOP, READING, CONVERSION, ESTIMATE})

CARRY_INTERVALS = 3.0
"""Median intervals for which the first or last reading also holds beyond its time."""

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


class PowerLines(NamedTuple):
    """What a power log states, in the order of the file."""

    marks: list[Mark]
    conversion: float = 1.0
    measured: str = ""
    estimate_w: float | None = None
    """Declared power of an interconnect."""

    def sorted_by_time(self) -> list[Reading]:
        """All readings; those of one time keep the order of the file."""
        readings = [(mark.time_ms, mark.watts) for mark in self.marks if mark.watts is not None]
        return sorted(readings, key=lambda reading: reading[0])

    def first(self, key: str) -> float | None:
        """Time of the first mark of a kind."""
        return next((mark.time_ms for mark in self.marks if mark.key == key), None)


class PowerLog(NamedTuple):
    """One file, read."""

    file: PowerFile
    values: tuple[float, ...]
    """The readings alone: they give away a copied file whose header was changed."""
    findings: tuple[Finding, ...]


def power_lines(lines: Sequence[Line]) -> PowerLines:
    """Readings that are numbers, starts and stops, and what the log declares."""
    marks, conversion, measured, estimate = [], 1.0, "", None
    for line in lines:
        value = as_number(line.value)
        if line.key == READING:
            if value is not None:
                marks.append(Mark(line.time_ms, value, line.key))
        elif line.key in (START, STOP):
            marks.append(Mark(line.time_ms, None, line.key))
        elif line.key == CONVERSION and value is not None:
            conversion, measured = value, str(line.metadata.get("measurement_type", ""))
        elif line.key == ESTIMATE and estimate is None:
            estimate = value
    return PowerLines(marks, conversion, measured, estimate)


def current_energy(log: PowerLines, window: Window) -> float | None:
    """`mlperf-current` in joules; None where the formula divides by zero or has no start."""
    start = stop = previous = last = None
    total = 0.0
    for time_ms, watts, key in sorted(log.marks, key=lambda mark: mark.time_ms):
        if watts is None:
            if key == START:
                start = previous = time_ms
            else:
                stop = time_ms
        elif previous is not None and stop is None:
            total += watts * (time_ms - previous)
            previous = last = time_ms
    return _scale(log, window, total, start, last if stop is None else stop)


def june_energy(log: PowerLines, window: Window) -> float | None:
    """`mlperf-2024-06` in joules; None where the formula divides by zero or has no start."""
    start = stop = previous = None
    last, total = -math.inf, 0.0
    for time_ms, watts, key in log.marks:
        if watts is not None and previous is not None:
            total += watts * (time_ms - previous)
            previous, last = time_ms, max(last, time_ms)
        elif key == START:
            start = previous = time_ms
        elif key == STOP:
            stop = max(time_ms, last)
            break
    return _scale(log, window, total, start, last if stop is None else stop)


def _scale(
    log: PowerLines, window: Window, total: float, start: float | None, stop: float | None
) -> float | None:
    if start is None or stop is None or not math.isfinite(stop) or stop == start:
        return None
    return log.conversion * total * window.length_ms / (stop - start) / 1000


def integral(readings: Sequence[Reading], window: Window) -> float | None:
    """∫ p dt over the window in joules, without conversion; None where too little is covered.

    Args:
        readings: Sorted by time.
        window: Without a length it has no integral.
    """
    if len(readings) < 2 or window.length_ms <= 0:  # noqa: PLR2004 - two make an interval
        return None
    # Seconds from the first reading: a float of milliseconds since 1970 has too few digits.
    t_s, watts = (np.array(readings) - (readings[0][0], 0.0)).T / ((1000.0,), (1.0,))
    start_s, stop_s = ((edge - readings[0][0]) / 1000 for edge in window)
    carry_s = max(CARRY_S_MIN, CARRY_INTERVALS * float(np.median(np.diff(t_s))))
    covered_s = min(stop_s, t_s[-1] + carry_s) - max(start_s, -carry_s)
    if covered_s < COVERAGE_MIN * (stop_s - start_s):
        return None
    return integrate(t_s, watts, start_s, stop_s)


def _gap_ms(readings: Sequence[Reading], window: Window) -> float | None:
    """Greatest time without a reading inside the window, its edges included."""
    start, stop = window
    times = np.array([time_ms for time_ms, _ in readings])
    inside = times[(times > start) & (times < stop)]
    before, after = times[times <= start], times[times >= stop]
    if not (inside.size or (before.size and after.size)):
        return None
    edges = (before.max() if before.size else start, after.min() if after.size else stop)
    return float(np.diff([edges[0], *inside, edges[1]]).max())


def _energies(
    log: PowerLines, readings: Sequence[Reading], window: Window, *, is_switch: bool
) -> dict[str, float]:
    """Joules by each method that gives any."""
    window_s = window.length_ms / 1000
    if is_switch and log.estimate_w is not None:
        joules = log.conversion * log.estimate_w * window_s
        return dict.fromkeys(("mlperf-current", "mlperf-2024-06", "window"), joules)
    over = integral(readings, window)
    if is_switch and readings and over is None:
        over = sum(watts for _, watts in readings) / len(readings) * window_s
    energies = {
        "mlperf-current": 0.0 if is_switch else current_energy(log, window),
        "mlperf-2024-06": 0.0 if is_switch else june_energy(log, window),
        "window": None if over is None else log.conversion * over,
    }
    return {method: joules for method, joules in energies.items() if joules is not None}


def _check_marks(path: Path, log: PowerLines) -> list[Finding]:
    """What is wrong with the start and stop lines of a node's log."""
    start, stop = log.first(START), log.first(STOP)
    if start is None:
        message = f"{path}: no power_measurement_start, so MLPerf's formulas give nothing"
        return [make_finding("mlperf-power-start", message)]
    if stop is None:
        message = f"{path}: no power_measurement_stop; the last reading is taken in its place"
        return [make_finding("mlperf-power-stop", message)]
    if stop == start:
        message = (
            f"{path}: power_measurement_stop carries the time of the start; MLPerf's current "
            "formula divides by zero here"
        )
        return [make_finding("mlperf-power-stop", message)]
    return []


def read_power(path: Path, source: str, window: Window) -> PowerLog:
    """Read one power log of a run.

    Raises:
        TextError: the file cannot be read.
    """
    text = read_text(path)
    parsed = parse_log(path, text.lines, KEYS)
    log = power_lines(parsed.lines)
    readings = log.sorted_by_time()
    is_switch = path.name.startswith("sw")
    gap_ms = _gap_ms(readings, window)
    file = PowerFile(
        source=source,
        sha256=text.sha256,
        kind="switch" if is_switch else "node",
        readings_count=len(readings),
        window_readings_count=sum(window.start_ms <= t <= window.stop_ms for t, _ in readings),
        span_s=(readings[-1][0] - readings[0][0]) / 1000 if readings else None,
        gap_max_s=None if gap_ms is None else gap_ms / 1000,
        duplicates_count=len(readings) - len({time_ms for time_ms, _ in readings}),
        conversion_ratio=log.conversion,
        measured=log.measured,
        energy_by_method_j=_energies(log, readings, window, is_switch=is_switch),
    )
    marks = [] if is_switch else _check_marks(path, log)
    return PowerLog(file, tuple(watts for _, watts in readings), (*parsed.findings, *marks))
