"""Power over time from the readings of a bundle, thinned for a page."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.measure.energy import EnergyReader, PowerSeries
from harness.measure.trace import Trace, TraceError, read_trace
from harness.records import Domain
from harness.report.entries import EntryRun

Floats = npt.NDArray[np.float64]

TIME_STEPS, POWER_STEPS = (1 << 32) - 1, (1 << 16) - 1
"""Resolution of the readings in a page: 32 bits of time and 16 bits of power."""


class Envelope(NamedTuple):
    """A series in bins of equal width, without the empty bins."""

    t_s: Floats
    """Middle of each bin."""
    low_w: Floats
    mean_w: Floats
    high_w: Floats


def trace_of(run: EntryRun) -> Trace | None:
    """Return the readings of a run; None where there are none or they cannot be read."""
    if run.trace_path is None:
        return None
    try:
        return read_trace(run.trace_path)
    except TraceError:
        return None


def power_of(trace: Trace, domains: Sequence[Domain]) -> list[PowerSeries]:
    """Return the power of every domain in a trace that has any, sorted by name."""
    reader = EnergyReader(trace, domains)
    return [series for name in sorted(trace.columns) if len((series := reader.power(name)).t_s)]


def envelope(series: PowerSeries, bins: int) -> Envelope:
    """Return the least, mean and greatest power in each of `bins` equal spans of the series."""
    t_s, power_w = series.t_s, series.power_w
    edges = np.linspace(t_s[0], t_s[-1], bins + 1)
    index = np.clip(np.searchsorted(edges, t_s, side="right") - 1, 0, bins - 1)
    starts = np.flatnonzero(np.r_[True, index[1:] != index[:-1]])
    counts = np.diff(np.r_[starts, len(index)])
    middle = (edges[:-1] + edges[1:])[index[starts]] / 2
    return Envelope(
        middle,
        np.minimum.reduceat(power_w, starts),
        np.add.reduceat(power_w, starts) / counts,
        np.maximum.reduceat(power_w, starts),
    )


def thinned(series: PowerSeries, points_max: int) -> PowerSeries:
    """Keep at most `points_max` readings: the least and the greatest of equal groups."""
    count = len(series.t_s)
    if count <= points_max:
        return series
    width = -(-2 * count // max(points_max - 2, 2))
    complete = count // width * width
    groups = series.power_w[:complete].reshape(-1, width)
    starts = np.arange(0, complete, width)
    rest = series.power_w[complete:]
    tail = [complete + rest.argmin(), complete + rest.argmax()] if len(rest) else []
    kept = np.unique(np.r_[starts + groups.argmin(axis=1), starts + groups.argmax(axis=1), tail])
    kept = kept.astype(np.int64)
    return PowerSeries(series.domain, series.t_s[kept], series.power_w[kept])


class PackedSeries(NamedTuple):
    """Readings as base64 of little-endian integers: times of 32 bits, power of 16 bits."""

    start: float
    """Seconds after the start signal of the first reading."""
    step_s: float
    step_w: float
    every: float
    """Readings of the trace per reading here."""
    t: str
    w: str


def packed(series: PowerSeries, points_max: int, zero_s: float) -> PackedSeries:
    """Pack at most `points_max` readings of a chart for its script, by their extremes.

    `zero_s` is the time of the start signal, seconds after the run's origin.
    """
    kept = thinned(series, points_max)
    start_s = float(kept.t_s[0])
    step_s = float(kept.t_s[-1] - start_s) / TIME_STEPS
    step_w = float(kept.power_w.max()) / POWER_STEPS
    times = np.round((kept.t_s - start_s) / (step_s or 1.0)).astype("<u4")
    watts = np.round(np.maximum(kept.power_w, 0.0) / (step_w or 1.0)).astype("<u2")
    return PackedSeries(
        start=float(f"{start_s - zero_s:.9g}"),
        step_s=float(f"{step_s:.9g}"),
        step_w=float(f"{step_w:.9g}"),
        every=round(len(series.t_s) / len(kept.t_s), 1),
        t=base64.b64encode(times.tobytes()).decode(),
        w=base64.b64encode(watts.tobytes()).decode(),
    )
