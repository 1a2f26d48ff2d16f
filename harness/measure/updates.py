"""When an energy counter was brought up to date, as closely as its readings tell."""

from dataclasses import dataclass

import numpy as np

from harness.measure.series import Bool, Float, Int

_JITTER = 0.05
"""Two updates lie one period apart to within this part of it (99 to 104 ms on A100 and H100, from
the tables beside arXiv 2312.02741)."""

_FLAT_PERIODS = 1.5
"""A value that stands for longer was brought up to date and gained nothing."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Points that the course of the true joules runs through."""

    t_s: Float
    """Middle of the time in which the update must have come."""
    half_s: Float
    """Half of that time: the update came within `t_s` ± `half_s`."""
    total_j: Float
    """What the counter showed from then on, since the first reading."""


def knots(t_s: Float, u_s: Float, total_j: Float, update_s: float) -> Knots:
    """Updates of a counter, one for each value that it showed.

    A reading at t shows the joules up to an update at most one period U before t. A value that
    differs from the one before came after the reading before; a value that still stood at a
    reading t' had come after t' - U. Two values that a reading less than U apart shows are of two
    updates in a row, which lie one period apart: so a few readings close together, as at the
    edges of a window, fix the updates on both sides of the edge to within their spacing.

    Args:
        t_s: stamps of the readings, ascending.
        u_s: half of the time that each read took.
        total_j: unfolded joules at each reading.
        update_s: the counter's update period; 0 where it does not lag.
    """
    index, changed = _fresh(t_s, total_j, update_s)
    # The first reading is always among them, and has none before it.
    before = index - 1
    before[0] = 0
    high_s, last_s = t_s[index], t_s[np.concatenate((before[1:], [len(t_s) - 1]))]
    low_s = high_s - update_s
    low_s[1:] = np.maximum(t_s[before[1:]], low_s[1:])
    low_s = np.maximum(low_s, np.minimum(last_s - (1 + _JITTER) * update_s, high_s))
    in_a_row = changed[1:] & (high_s[1:] - last_s[:-1] < (1 - _JITTER) * update_s)
    slack_s = np.maximum(u_s[index], u_s[before])
    if in_a_row.any():
        low_s, high_s = _one_period_apart(low_s, high_s, in_a_row, update_s)
    return Knots((low_s + high_s) / 2, (high_s - low_s) / 2 + slack_s, total_j[index])


def _fresh(t_s: Float, total_j: Float, update_s: float) -> tuple[Int, Bool]:
    """Readings that tell of an update, and which of them by a new value."""
    changed = np.ones(len(t_s), bool)
    changed[1:] = total_j[1:] - total_j[:-1] != 0
    everyone = np.arange(len(t_s))
    if not update_s:
        return everyone, changed
    begun = np.maximum.accumulate(np.where(changed, everyone, 0))
    flat = t_s - t_s[begun] >= _FLAT_PERIODS * update_s
    index = np.flatnonzero(changed | flat)
    return index, changed[index]


def _one_period_apart(
    low_s: Float, high_s: Float, in_a_row: Bool, update_s: float
) -> tuple[Float, Float]:
    """Narrow each update's time by that of the one after it, then by that of the one before it."""
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
        sound = in_a_row & (low <= high)
        low_s[one] = np.where(sound, low, low_s[one])
        high_s[one] = np.where(sound, high, high_s[one])
    return low_s, high_s


def ages_s(t_s: Float, u_s: Float, changed: Bool, update_s: float) -> Float:
    """Greatest time since the last update at each reading, that of the read itself included.

    An update came after the last reading that showed another value; where none did, it came at
    most one period ago.

    Args:
        t_s: stamps of the readings, ascending.
        u_s: half of the time that each read took.
        changed: whether each reading but the first shows another value than the one before.
        update_s: the counter's update period.
    """
    begun = np.arange(len(t_s))
    begun[1:] *= changed
    begun = np.maximum.accumulate(begun)
    other = np.maximum(begun - 1, 0)
    since_s = np.where(begun > 0, t_s - t_s[other] + u_s[other], np.inf)
    return np.asarray(np.minimum(since_s, (1 + _JITTER) * update_s) + u_s, dtype=np.float64)
