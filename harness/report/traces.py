"""Power over time from a bundle's raw readings, thinned out for a page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.measure.energy import EnergyReader, PowerSeries
from harness.measure.trace import Trace, TraceError, read_trace
from harness.records import Domain
from harness.report.entries import EntryRun

Floats = npt.NDArray[np.float64]


class Envelope(NamedTuple):
    """A series in bins of equal width: empty bins are left out."""

    t_s: Floats
    """Middle of each bin."""
    low_w: Floats
    mean_w: Floats
    high_w: Floats


def trace_of(each: EntryRun) -> Trace | None:
    """The readings of a run; None where there are none that can be read."""
    if each.trace_path is None:
        return None
    try:
        return read_trace(each.trace_path)
    except TraceError:
        return None


def power_of(trace: Trace, domains: Sequence[Domain]) -> list[PowerSeries]:
    """Power of every domain in a trace that has any, sorted by name.

    Args:
        trace: the readings of a run.
        domains: the domains as the run describes them.
    """
    reader = EnergyReader(trace, domains)
    return [series for name in sorted(trace.columns) if len((series := reader.power(name)).t_s)]


def envelope(series: PowerSeries, bins: int) -> Envelope:
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
