"""Over which span a power sensor averages, told from its readings beside an energy counter.

Published tables of averaging windows have exceptions, so the window is measured wherever a counter
of the same device was read with the power. Let the counter have gained the mean power D over the
stretch of length L before an update, while the power reading says I, the mean over the last W.

- W < L: with a power that changes by s watts a second, the mean over the last W lies
  (L - W) / 2 later than that over L, so that I - g D = g s (L - W) / 2 with the gain g between the
  two readings. Least squares over all updates, with s from the neighbours, gives W; what s leaves
  out where the power jumps misleads it (a jump at a random time gives a slope of 0.6 instead of
  0.5, a sawtooth more), so that 0.4 of L - W is added to the doubt. Where the sensor is brought
  up to date more often than it is read, a W below L cannot be told at all.
- W >= L: the counter itself gives the mean over any such span, so that each is tried, and the one
  whose means fit best is taken, to within the next ones tried.

Where the power hardly changed, or other errors outweigh what W does, nothing can be told.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.measure.series import Float, Series
from harness.measure.updates import knots

_LEAST_UPDATES = 30
_LEAST_CHANGE_W = 1.0
_LEAST_CHANGE_RATIO = 0.01
"""Change of the power from one stretch to the next, root mean square, for anything to be told."""

_SLOPE_DOUBT = 0.4
"""Part of L - W by which jumps of the power may mislead the slope."""

_MISFIT_DOUBT = 2.0
"""Part of L for each part of the power's changes that the slope does not explain."""

_EACH_UPDATE = 0.75
"""Least update period, in stretches, for each update to have been seen."""

_LONGER = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0)
"""Spans that are tried, in stretches."""

_CLEARLY = 0.1
"""A longer span is taken only where it leaves less than this part of the squared misfit."""


class AveragingWindow(NamedTuple):
    """What the readings say of an averaging window, seconds."""

    best_s: float
    low_s: float
    high_s: float

    def contradicts(self, stated_s: float) -> bool:
        """Whether a stated window lies outside of what was seen."""
        return not self.low_s <= stated_s <= self.high_s


@dataclass(frozen=True)
class _Stretches:
    """Means between successive updates beside what the power sensor said at their ends."""

    t_s: Float
    total_j: Float
    mean_w: Float
    """Of the counter, scaled to the power sensor."""
    said_w: Float
    length_s: float

    @property
    def slopes_w(self) -> Float:
        """Change of the power from one stretch to the next at each, by its two neighbours."""
        return np.asarray((self.mean_w[2:] - self.mean_w[:-2]) / 2)


@lru_cache(maxsize=16)
def infer_averaging_window(
    power: Series, counter: Series, update_s: float
) -> AveragingWindow | None:
    """The averaging window of a power sensor.

    Args:
        power: its readings.
        counter: those of an energy counter of the same device, read at the same moments.
        update_s: the period at which both are brought up to date.

    Returns:
        None where the readings do not tell it.
    """
    stretches = _stretches(power, counter, update_s)
    if stretches is None:
        return None
    changes_w = stretches.slopes_w
    least_w = max(_LEAST_CHANGE_W, _LEAST_CHANGE_RATIO * float(stretches.mean_w.mean()))
    if float(np.sqrt(np.mean(changes_w**2))) < least_w:
        return None
    found = _longer(stretches)
    if found is None and update_s >= _EACH_UPDATE * stretches.length_s:
        found = _shorter(stretches)
    told = found is not None and found.high_s - found.low_s <= max(update_s, found.best_s)
    return found if told else None


def _stretches(power: Series, counter: Series, update_s: float) -> _Stretches | None:
    """Stretches of the usual length between updates that both sensors were seen at."""
    stamps, at_power, at_counter = np.intersect1d(power.t_ns, counter.t_ns, return_indices=True)
    joules, watts = counter.energy_j[at_counter], power.power_w[at_power]
    if len(stamps) < _LEAST_UPDATES or (np.diff(joules) < 0).any():
        return None
    t_s = stamps / 1e9
    known = knots(t_s, np.zeros(len(t_s)), joules - joules[0], update_s)
    if len(known.t_s) < _LEAST_UPDATES:
        return None
    # The first reading of each update: its power is of the same update.
    index = np.searchsorted(joules - joules[0], known.total_j, side="left")
    # Updates are whole periods apart, which is surer than when each of them was seen.
    periods = np.maximum(1.0, np.rint(np.diff(known.t_s) / update_s))
    t_s = np.concatenate(([0.0], np.cumsum(periods * update_s)))
    mean_w = np.diff(known.total_j) / np.diff(t_s)
    said_w = watts[index][1:]
    gain = float(said_w.sum() / mean_w.sum()) if mean_w.sum() > 0 else 0.0
    if not gain > 0:
        return None
    length_s = float(np.median(np.diff(t_s)))
    return _Stretches(t_s, gain * known.total_j, gain * mean_w, said_w, length_s)


def _shorter(stretches: _Stretches) -> AveragingWindow:
    """By the slope: a window no longer than a stretch."""
    length_s, said_w = stretches.length_s, stretches.said_w[1:-1]
    known_w = np.column_stack((stretches.mean_w[1:-1], stretches.slopes_w))
    (_, ratio), *_ = np.linalg.lstsq(known_w, said_w, rcond=None)
    left_w = said_w - known_w @ np.linalg.lstsq(known_w, said_w, rcond=None)[0]
    spread = np.linalg.inv(known_w.T @ known_w)[1, 1] * float(left_w @ left_w) / (len(left_w) - 2)
    # I = g D + (slope per stretch) (L - W) / (2 L)
    best_s = min(max(0.0, length_s * (1 - 2 * float(ratio))), length_s)
    doubt_s = 4 * math.sqrt(spread) * length_s + _SLOPE_DOUBT * (length_s - best_s)
    # Jumps in step with the updates leave a misfit and may hide a shorter window, never a longer.
    misfit = float(np.linalg.norm(left_w) / np.linalg.norm(stretches.slopes_w))
    low_s = best_s - doubt_s - _MISFIT_DOUBT * misfit * length_s
    return AveragingWindow(best_s, max(0.0, low_s), best_s + doubt_s)


def _longer(stretches: _Stretches) -> AveragingWindow | None:
    """By trial: a window longer than a stretch; None where one stretch fits as well."""
    t_s, total_j = stretches.t_s[1:], stretches.total_j[1:]
    spans_s = stretches.length_s * np.array((1.0, *_LONGER))
    usable = t_s - stretches.t_s[0] >= spans_s[-1]
    if int(usable.sum()) < _LEAST_UPDATES:
        return None
    misfits = []
    for span_s in spans_s:
        earlier_j = np.interp(t_s - span_s, stretches.t_s, stretches.total_j)
        misfit_w = stretches.said_w - (total_j - earlier_j) / span_s
        misfits.append(float(np.mean(misfit_w[usable] ** 2)))
    k = int(np.argmin(misfits))
    if k == 0 or misfits[k] > _CLEARLY * misfits[0]:
        return None
    high_s = spans_s[k + 1] if k + 1 < len(spans_s) else 2 * spans_s[k]
    return AveragingWindow(float(spans_s[k]), float(spans_s[k - 1]), float(high_s))
