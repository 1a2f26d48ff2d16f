"""Detects how often a sensor is updated, and when, as closely as its readings allow."""

import math
from dataclasses import dataclass

import numpy as np

from harness.measure.series import Bool, Float, Int

_JITTER = 0.05
"""Two updates lie one period apart to within this part of it (99 to 104 ms on A100 and H100, from
the tables beside arXiv 2312.02741)."""

_FLAT_PERIODS = 1.5
"""A value that lasts for longer was updated and has gained nothing."""

_STEADY_CHANGES_MIN = 4
_STEADY_PART = 0.1
_STEADY_PERIODS = 1.5
"""Power may stay the same for many updates, but nine out of ten values do not stand for longer;
few changes prove nothing."""


def observe_period_s(
    t_s: Float, values: Float, stated_s: float, *, steady: bool = False
) -> tuple[float, float]:
    """The update period of a sensor, and the longest that its readings allow.

    Let a value appear between the readings at b and t, and the next one between b' and t'. The
    period is at most t' - b, and at least b' - t, since the value stood all that time. What is
    stated counts only within these limits: a hypervisor may refresh a counter once a second that
    is updated every millisecond elsewhere.

    Args:
        t_s: times of the readings, ascending.
        values: what was read.
        stated_s: the update period as the meter states it; 0 where the sensor does not lag.
        steady: whether the value may stay the same over several updates, as power may.
    """
    new = np.flatnonzero(values[1:] != values[:-1]) + 1
    if not stated_s or not len(new):
        return stated_s, math.inf
    stood_s = t_s[np.append(new, len(t_s)) - 1] - t_s[np.concatenate(([0], new))]
    if steady:
        low_s = float(np.quantile(stood_s, _STEADY_PART))
        if low_s < _STEADY_PERIODS * stated_s or len(new) < _STEADY_CHANGES_MIN:
            return stated_s, math.inf
    else:
        # One that gained nothing in an update stood for two of them.
        steps_s = np.diff(t_s[new])
        usual_s = _FLAT_PERIODS * float(np.median(steps_s)) if len(steps_s) > 1 else math.inf
        low_s = float(stood_s[stood_s <= usual_s].max(initial=0.0))
    seen_s = t_s[new[1:]] - t_s[new[:-1] - 1]
    high_s = max(low_s, float(seen_s.min(initial=math.inf)))
    period_s = stated_s
    if not low_s <= stated_s <= (1 + _JITTER) * high_s:
        period_s = (low_s + high_s) / 2 if math.isfinite(high_s) else low_s
    return period_s, (1 + _JITTER) * high_s


@dataclass(frozen=True, eq=False)
class UpdateTimes:
    """Points on the curve of the true energy."""

    t_s: Float
    """Middle of the interval in which the update happened."""
    half_s: Float
    """Half of that interval: the update happened within `t_s` ± `half_s`."""
    total_j: Float
    """Value of the counter from then on, relative to the first reading."""


def detect_updates(t_s: Float, u_s: Float, total_j: Float, update_s: float) -> UpdateTimes:
    """Updates of a counter, one for each value that was read.

    A reading at t shows the energy at the last update, at most one period U before t. A value that
    differs from the one before appeared after the reading before; a value that was still the same
    at t' had appeared after t' - U. Two values that were read less than U apart belong to two
    successive updates, which are one period apart. So a few readings close together, as at the
    edges of a window, locate the updates on both sides of the edge to within their spacing.

    Args:
        t_s: times of the readings, ascending.
        u_s: half of the duration of each read.
        total_j: energy at each reading, corrected for wraps.
        update_s: the counter's update period; 0 where it does not lag.
    """
    index, changed = _updated(t_s, total_j, update_s)
    # The first reading is always among them, and has none before it.
    before = index - 1
    before[0] = 0
    high_s, last_s = t_s[index], t_s[np.concatenate((before[1:], [len(t_s) - 1]))]
    low_s = high_s - update_s
    low_s[1:] = np.maximum(t_s[before[1:]], low_s[1:])
    low_s = np.maximum(low_s, np.minimum(last_s - (1 + _JITTER) * update_s, high_s))
    successive = changed[1:] & (high_s[1:] - last_s[:-1] < (1 - _JITTER) * update_s)
    slack_s = np.maximum(u_s[index], u_s[before])
    if successive.any():
        low_s, high_s = _one_period_apart(low_s, high_s, successive, update_s)
    return UpdateTimes((low_s + high_s) / 2, (high_s - low_s) / 2 + slack_s, total_j[index])


def _updated(t_s: Float, total_j: Float, update_s: float) -> tuple[Int, Bool]:
    """Readings that show an update, and which of them show a new value."""
    changed = np.ones(len(t_s), bool)
    changed[1:] = total_j[1:] - total_j[:-1] != 0
    every = np.arange(len(t_s))
    if not update_s:
        return every, changed
    begun = np.maximum.accumulate(np.where(changed, every, 0))
    flat = t_s - t_s[begun] >= _FLAT_PERIODS * update_s
    index = np.flatnonzero(changed | flat)
    return index, changed[index]


def _one_period_apart(
    low_s: Float, high_s: Float, successive: Bool, update_s: float
) -> tuple[Float, Float]:
    """Narrow the interval of each update by the one after it, then by the one before it."""
    least_s, most_s = (1 - _JITTER) * update_s, (1 + _JITTER) * update_s
    low_s, high_s = low_s.copy(), high_s.copy()
    for one, other, sign in (
        (slice(None, -1), slice(1, None), -1),
        (slice(1, None), slice(None, -1), 1),
    ):
        reach = (low_s[other] + sign * least_s, low_s[other] + sign * most_s)
        ends = (high_s[other] + sign * least_s, high_s[other] + sign * most_s)
        low = np.maximum(low_s[one], np.minimum(*reach))
        high = np.minimum(high_s[one], np.maximum(*ends))
        sound = successive & (low <= high)
        low_s[one] = np.where(sound, low, low_s[one])
        high_s[one] = np.where(sound, high, high_s[one])
    return low_s, high_s


def ages_s(t_s: Float, u_s: Float, changed: Bool, longest_s: float) -> Float:
    """Longest possible time since the last update at each reading, its duration included.

    The update happened after the last reading of another value, and at most one period ago.

    Args:
        t_s: times of the readings, ascending.
        u_s: half of the duration of each read.
        changed: whether each reading but the first differs from the one before.
        longest_s: longest possible update period; infinite where the readings do not limit it.
    """
    begun = np.arange(len(t_s))
    begun[1:] *= changed
    begun = np.maximum.accumulate(begun)
    other = np.maximum(begun - 1, 0)
    since_s = np.where(begun > 0, t_s - t_s[other] + u_s[other], np.inf)
    return np.asarray(np.minimum(since_s, longest_s) + u_s, dtype=np.float64)
