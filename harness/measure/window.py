"""Infers over which time a power sensor averages, from its readings and an energy counter.

Published tables of averaging windows have exceptions, so the window is measured wherever a counter
of the same device was read with the power. Let the counter have gained the mean power D over an
interval of length L before an update, while the power reading is I, the mean over the last W.

- W < L: if the power changes by s watts per second, the mean over the last W is (L - W) / 2 later
  than that over L, so that I - g D = g s (L - W) / 2 with the gain g between the two sensors. Least
  squares over all updates, with s from the neighbours, give W. Jumps of the power bias the slope
  (a jump at a random time gives 0.6 instead of 0.5, a sawtooth more), so that 0.4 (L - W) is added
  to the uncertainty. Where the sensor is updated more often than it is read, a W below L cannot be
  inferred.
- W >= L: the counter itself gives the mean over any such time. Several lengths are tried; the one
  whose means fit best is taken, with an uncertainty up to the next lengths tried.

Where the power hardly changed, or other errors are larger than the effect of W, nothing is
inferred.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.measure.series import Float, Series
from harness.measure.updates import detect_updates

_UPDATES_MIN = 30
_CHANGE_MIN_W = 1.0
_CHANGE_MIN_RATIO = 0.01
"""Least change of the power from one interval to the next, root mean square."""

_SLOPE_BIAS = 0.4
"""Bias of the slope by jumps of the power, as a part of L - W."""

_MISFIT_BIAS = 2.0
"""Bias by the part of the power's changes that the slope does not explain, as a part of L."""

_UPDATE_MIN = 0.75
"""Least update period, in intervals, for every update to have been read."""

_LONGER = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0)
"""Longer windows that are tried, in intervals."""

_MISFIT_RATIO_MAX = 0.1
"""A longer window is taken only where it leaves less than this part of the squared misfit."""


class AveragingWindow(NamedTuple):
    """An averaging window as inferred from readings, seconds."""

    best_s: float
    low_s: float
    high_s: float

    def contradicts(self, stated_s: float) -> bool:
        """Whether a stated window is outside the inferred range."""
        return not self.low_s <= stated_s <= self.high_s


@dataclass(frozen=True)
class _Intervals:
    """Mean powers between successive updates, and the power readings at their ends."""

    t_s: Float
    total_j: Float
    mean_w: Float
    """By the counter, scaled to the power sensor."""
    read_w: Float
    length_s: float

    @property
    def slopes_w(self) -> Float:
        """Change of the power from one interval to the next, from the two neighbours of each."""
        return np.asarray((self.mean_w[2:] - self.mean_w[:-2]) / 2)


@lru_cache(maxsize=16)
def infer_averaging_window(
    power: Series, counter: Series, update_s: float
) -> AveragingWindow | None:
    """Infer the averaging window of a power sensor.

    Args:
        power: its readings.
        counter: readings of an energy counter of the same device, taken at the same times.
        update_s: the update period of both.

    Returns:
        None where the readings do not show it.
    """
    intervals = _intervals(power, counter, update_s)
    if intervals is None:
        return None
    changes_w = intervals.slopes_w
    least_w = max(_CHANGE_MIN_W, _CHANGE_MIN_RATIO * float(intervals.mean_w.mean()))
    if float(np.sqrt(np.mean(changes_w**2))) < least_w:
        return None
    inferred = _longer(intervals, least_w)
    if inferred is None and update_s >= _UPDATE_MIN * intervals.length_s:
        inferred = _shorter(intervals)
    if inferred is None or inferred.high_s - inferred.low_s > max(update_s, inferred.best_s):
        return None
    return inferred


def _intervals(power: Series, counter: Series, update_s: float) -> _Intervals | None:
    """Intervals between the updates at which both sensors were read."""
    stamps, at_power, at_counter = np.intersect1d(power.t_ns, counter.t_ns, return_indices=True)
    joules, watts = counter.energy_j[at_counter], power.power_w[at_power]
    if len(stamps) < _UPDATES_MIN or (np.diff(joules) < 0).any():
        return None
    t_s = stamps / 1e9
    known = detect_updates(t_s, np.zeros(len(t_s)), joules - joules[0], update_s)
    if len(known.t_s) < _UPDATES_MIN:
        return None
    # The first reading of each update: its power is of the same update.
    index = np.searchsorted(joules - joules[0], known.total_j, side="left")
    # Updates are whole periods apart, which is more certain than the time of each reading.
    periods = np.maximum(1.0, np.rint(np.diff(known.t_s) / update_s))
    t_s = np.concatenate(([0.0], np.cumsum(periods * update_s)))
    mean_w = np.diff(known.total_j) / np.diff(t_s)
    read_w = watts[index][1:]
    gain = float(read_w.sum() / mean_w.sum()) if mean_w.sum() > 0 else 0.0
    if not gain > 0:
        return None
    length_s = float(np.median(np.diff(t_s)))
    return _Intervals(t_s, gain * known.total_j, gain * mean_w, read_w, length_s)


def _shorter(intervals: _Intervals) -> AveragingWindow:
    """A window no longer than an interval, by the slope."""
    length_s, read_w = intervals.length_s, intervals.read_w[1:-1]
    known_w = np.column_stack((intervals.mean_w[1:-1], intervals.slopes_w))
    (_, ratio), *_ = np.linalg.lstsq(known_w, read_w, rcond=None)
    left_w = read_w - known_w @ np.linalg.lstsq(known_w, read_w, rcond=None)[0]
    variance = np.linalg.inv(known_w.T @ known_w)[1, 1] * float(left_w @ left_w) / (len(left_w) - 2)
    # I = g D + (slope per interval) (L - W) / (2 L)
    best_s = min(max(0.0, length_s * (1 - 2 * float(ratio))), length_s)
    u_s = 4 * math.sqrt(variance) * length_s + _SLOPE_BIAS * (length_s - best_s)
    # Jumps synchronous with the updates leave a misfit and may hide a shorter window, never longer.
    misfit = float(np.linalg.norm(left_w) / np.linalg.norm(intervals.slopes_w))
    low_s = best_s - u_s - _MISFIT_BIAS * misfit * length_s
    return AveragingWindow(best_s, max(0.0, low_s), best_s + u_s)


def _longer(intervals: _Intervals, least_w: float) -> AveragingWindow | None:
    """A window longer than an interval, by trial; None where one interval fits as well."""
    t_s, total_j = intervals.t_s[1:], intervals.total_j[1:]
    spans_s = intervals.length_s * np.array((1.0, *_LONGER))
    usable = t_s - intervals.t_s[0] >= spans_s[-1]
    # A reading that stood still fits any window that hides what disturbed the counter.
    if int(usable.sum()) < _UPDATES_MIN or float(np.std(intervals.read_w[usable])) < least_w:
        return None
    misfits = []
    for span_s in spans_s:
        earlier_j = np.interp(t_s - span_s, intervals.t_s, intervals.total_j)
        misfit_w = intervals.read_w - (total_j - earlier_j) / span_s
        misfits.append(float(np.mean(misfit_w[usable] ** 2)))
    k = int(np.argmin(misfits))
    if k == 0 or misfits[k] > _MISFIT_RATIO_MAX * misfits[0]:
        return None
    high_s = spans_s[k + 1] if k + 1 < len(spans_s) else 2 * spans_s[k]
    return AveragingWindow(float(spans_s[k]), float(spans_s[k - 1]), float(high_s))
