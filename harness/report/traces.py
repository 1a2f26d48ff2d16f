"""Power over time from a bundle's raw readings, thinned out for a page."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.measure.series import Series as Column
from harness.measure.trace import Trace, TraceError, read_trace
from harness.report.entries import EntryRun

Floats = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Power of one domain."""

    domain: str
    t_s: Floats
    """Seconds after the run's origin, ascending."""
    power_w: Floats
    """Watts at these moments (readings), or up to them since the one before (counters)."""


class Envelope(NamedTuple):
    """A series in bins of equal width: empty bins are left out."""

    t_s: Floats
    """Middle of each bin."""
    low_w: Floats
    mean_w: Floats
    high_w: Floats


def _series(domain: str, column: Column, wrap_j: float | None) -> Series:
    readings = column.with_power()
    if len(readings.t_ns):
        return Series(domain, readings.t_s, readings.power_w)
    counted = column.with_energy()
    gained_j, steps_s = np.diff(counted.energy_j), np.diff(counted.t_s)
    if wrap_j is not None:
        gained_j = np.where(gained_j < 0, gained_j + wrap_j, gained_j)
    usable = (steps_s > 0) & (gained_j >= 0)
    return Series(domain, counted.t_s[1:][usable], gained_j[usable] / steps_s[usable])


def trace_of(each: EntryRun) -> Trace | None:
    """The readings of a run; None where there are none that can be read."""
    if each.trace_path is None:
        return None
    try:
        return read_trace(each.trace_path)
    except TraceError:
        return None


def power_of(trace: Trace, wraps_j: Mapping[str, float | None]) -> list[Series]:
    """Power of every domain in a trace that has any, sorted by name.

    Args:
        trace: the readings of a run.
        wraps_j: joules after which a domain's counter starts again, by domain.
    """
    columns = trace.columns
    made = [_series(name, columns[name], wraps_j.get(name)) for name in sorted(columns)]
    return [series for series in made if len(series.t_s)]


def envelope(series: Series, bins: int) -> Envelope:
    """Least, mean and greatest power in each of `bins` equal spans of the series."""
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
