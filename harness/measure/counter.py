"""Joules from an energy counter: difference with wraps unfolded, and how far it can be wrong.

A counter that is read at time s shows the joules up to its last update, at most one update period
U before s, cut down to its step. It starts again at zero after `wrap_j`.

What the true joules C are at an edge x of the window follows from the updates around x, whose
times are known to within h (`detect_updates`): h is U / 2 where the counter is read about once a
period, and half of the spacing of the reads where it is read more often, as it is after a mark.
The estimate is the line through the updates. It is wrong in two ways:

- The updates came up to h earlier or later. All of them move alike, since one clock drives them,
  and the estimate is off by what it gains between x - h and x + h. That error is uniform over a
  range of this half-width a: k = 2 gives 2 a / sqrt(3) (GUM, JCGM 100:2008, 4.3.7). What the
  counter itself gained there is taken for a, not a mean power: in a pulse of 200 ms the mean of
  half a second is too small by half.
- The power changed between two updates. A single step of the power by s, with p before and q
  after x within one stretch, bends the course by at most s p q / (p + q), uniform again.

Both ways rest on one course of power and both edges on one clock, so that these errors are not
independent, and how they go together is not known: they are added up, not squared (GUM 5.2.2,
F.1.2.3).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import numpy as np

from harness.measure.series import (
    Bool,
    Float,
    Part,
    Series,
    distinct_count,
    gap_max_s,
    overlap_s,
)
from harness.measure.updates import UpdateTimes, ages_s, detect_updates
from harness.records import Domain

_WRAP_GUESS = 0.25
"""Without a known power range, a fall counts as a wrap only if it makes less than this of one."""

_LOOKED_AHEAD = 64
"""So many readings after an edge are searched for one that shows a later update."""


@dataclass(frozen=True, eq=False)
class Unfolded:
    """Steps of a counter with its wraps put right."""

    t_s: Float
    u_s: Float
    gained_j: Float
    """Joules between successive readings; filled in where `valid` is False."""
    valid: Bool
    wrapped: Bool

    @cached_property
    def total_j(self) -> Float:
        """Joules since the first reading."""
        return _summed(self.gained_j)

    @cached_property
    def sound(self) -> bool:
        """Whether every step is valid."""
        return bool(self.valid.all())


def _summed(steps: Float) -> Float:
    """Sum of the steps up to each reading."""
    sums = np.zeros(len(steps) + 1)
    np.cumsum(steps, out=sums[1:])
    return sums


@dataclass(frozen=True)
class Sensor:
    """What the domain's record says of the counter, with plain stand-ins where it is silent."""

    update_s: float
    step_j: float
    low_w: float
    high_w: float
    """Infinite where unknown."""
    gain: float

    @classmethod
    def of(cls, domain: Domain, series: Series) -> "Sensor":
        """From the record; an unknown step is taken from the readings."""
        modelled = domain.method in ("modelled", "declared")
        return cls(
            # An estimate is computed for its stamp, so that it does not lag.
            update_s=0.0 if modelled else domain.update_period_s or 0.0,
            step_j=_step_j(domain, series),
            low_w=domain.power_low_w or 0.0,
            high_w=math.inf if domain.power_high_w is None else domain.power_high_w,
            gain=domain.gain_error_ratio or 0.0,
        )

    @property
    def shown_high_w(self) -> float:
        """Greatest power as the counter may show it."""
        return self.high_w * (1 + self.gain)


def _step_j(domain: Domain, series: Series) -> float:
    """Step of the counter; where the meter did not say, the least change seen (an estimate: 0)."""
    if domain.resolution_j is not None or domain.method in ("modelled", "declared"):
        return domain.resolution_j or 0.0
    steps = np.abs(series.energy_j[1:] - series.energy_j[:-1])
    moved = steps[steps > 0]
    return float(moved.min()) if len(moved) else 0.0


def unfold(series: Series, domain: Domain) -> Unfolded:
    """Undo wraps and mark steps that no wrap and no power within range explains.

    A step is invalid where the counter fell and no wrap range is known, where it rose by more
    than the greatest power allows, or where more than one wrap fits into the time between.
    """
    return _unfold(series, Sensor.of(domain, series), domain.wrap_j)


def _unfold(series: Series, sensor: Sensor, wrap_j: float | None) -> Unfolded:
    t_s, gained = series.t_s, series.energy_j[1:] - series.energy_j[:-1]
    slack_s = sensor.update_s + series.u_s[1:] + series.u_s[:-1]
    most = sensor.shown_high_w * (t_s[1:] - t_s[:-1] + slack_s) + 2 * sensor.step_j
    plain = (gained >= 0) & (gained <= most)
    if wrap_j is not None:
        plain &= ~(np.isfinite(most) & (most >= wrap_j))
    if plain.all():
        return Unfolded(t_s, series.u_s, gained, plain, np.zeros(len(gained), bool))
    fell = gained < 0
    wrapped = np.zeros(len(gained), bool)
    if wrap_j is not None:
        gained = np.where(fell, gained + wrap_j, gained)
        least = np.minimum(most, _WRAP_GUESS * wrap_j) if math.isinf(sensor.high_w) else most
        wrapped = fell & (gained <= least) & ~(np.isfinite(most) & (most >= wrap_j))
    valid = plain | (wrapped & (gained <= most) & (gained >= 0))
    filled = np.where(valid, gained, _filling_j(series, gained, valid))
    return Unfolded(t_s, series.u_s, filled, valid, wrapped & valid)


def _filling_j(series: Series, gained: Float, valid: Bool) -> Float:
    """Best guess for invalid steps: power readings where there are any, else the neighbours' power.

    The guess is never silent: its whole possible range stands in the term `gaps`.
    """
    dt_s = np.diff(series.t_s)
    if np.isfinite(series.power_w).all():
        return (series.power_w[1:] + series.power_w[:-1]) / 2 * dt_s
    if not valid.any():
        return np.zeros(len(gained))
    middle = (series.t_s[1:] + series.t_s[:-1]) / 2
    watts = np.interp(middle, middle[valid], gained[valid] / dt_s[valid])
    return np.asarray(watts * dt_s, dtype=np.float64)


class _Near(NamedTuple):
    """A reading next to an edge, and how far the true joules at the edge can lie from it."""

    place: int
    t_s: float
    sure_j: float
    """Joules of the valid steps up to it."""
    lost_s: float
    """Seconds of the other steps up to it."""
    low_j: float
    high_j: float


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What is the same for every window of a trace, and for every window with the same edge."""

    sensor: Sensor
    steps: Unfolded
    updates: UpdateTimes
    ages_s: Float
    _edges: "dict[float, _Edge]" = field(default_factory=dict)
    _nears: dict[float, list[_Near]] = field(default_factory=dict)

    @cached_property
    def _sure_j(self) -> Float:
        if self.steps.sound:
            return self.steps.total_j
        return _summed(np.where(self.steps.valid, self.steps.gained_j, 0.0))

    @cached_property
    def lost_s(self) -> Float:
        """Seconds of invalid steps up to each reading."""
        return _summed(np.where(self.steps.valid, 0.0, np.diff(self.steps.t_s)))

    def edge(self, x_s: float) -> "_Edge":
        """The true joules at x."""
        if x_s not in self._edges:
            self._edges[x_s] = _Edge.at(self.updates, x_s)
        return self._edges[x_s]

    def near(self, x_s: float) -> list[_Near]:
        """The readings next to x."""
        if x_s not in self._nears:
            self._nears[x_s] = [self._near(index, x_s) for index in _neighbours(self, x_s)]
        return self._nears[x_s]

    def _near(self, index: int, x_s: float) -> _Near:
        lost_s = 0.0 if self.steps.sound else float(self.lost_s[index])
        t_s, sure_j = float(self.steps.t_s[index]), float(self._sure_j[index])
        return _Near(index, t_s, sure_j, lost_s, *_offset_j(self, index, x_s))


@lru_cache(maxsize=8)
def _prepared(series: Series, domain: Domain) -> _Prepared:
    sensor = Sensor.of(domain, series)
    steps = _unfold(series, sensor, domain.wrap_j)
    known = detect_updates(steps.t_s, steps.u_s, steps.total_j, sensor.update_s)
    changed = series.energy_j[1:] - series.energy_j[:-1] != 0
    ages = ages_s(steps.t_s, steps.u_s, changed, sensor.update_s)
    return _Prepared(sensor, steps, known, ages)


def measure(series: Series, domain: Domain, a_s: float, b_s: float) -> Part:
    """Joules between a and b with terms, bound and coverage."""
    prepared = _prepared(series, domain)
    sensor, steps = prepared.sensor, prepared.steps
    lost_s = _lost_s(steps, a_s, b_s)
    seen_s = max(0.0, min(b_s, steps.t_s[-1]) - max(a_s, steps.t_s[0])) - lost_s
    covered = max(0.0, float(seen_s)) / (b_s - a_s)
    begin, end = prepared.edge(a_s), prepared.edge(b_s)
    unseen_s = (b_s - a_s) * (1 - covered)
    return Part(
        energy_j=max(0.0, end.total_j - begin.total_j),
        bound_j=_bound_j(prepared, a_s, b_s),
        terms={
            "quantisation": 2 * sensor.step_j / math.sqrt(6),
            "edges": begin.u_j + end.u_j,
            "gaps": unseen_s * _half_range_w(steps, sensor),
            "aliasing": 0.0,
        },
        coverage_ratio=min(1.0, covered),
        gap_max_s=gap_max_s(series.t_s, a_s, b_s),
        readings_count=distinct_count(series.t_s, a_s, b_s, sensor.update_s),
        reason="the counter was reset or jumped within the window" if lost_s else "",
    )


def curve(
    series: Series, domain: Domain
) -> tuple[Callable[[Float], Float], Callable[[Float], Float]]:
    """Functions of time for `EnergyCurve`: joules since the first reading, and covered seconds."""
    prepared = _prepared(series, domain)
    t_s, total_j = prepared.updates.t_s, prepared.updates.total_j
    covered = prepared.steps.t_s - prepared.steps.t_s[0] - prepared.lost_s
    watts = np.diff(total_j) / np.diff(t_s)
    # Beyond its updates the curve goes on with their mean power, as `_Edge.at` does.
    before_w, after_w = (
        float(part.mean()) if len(part) else 0.0 for part in (watts[:2], watts[-2:])
    )

    def at(x_s: Float) -> Float:
        inside = np.interp(x_s, t_s, total_j)
        before_s, after_s = np.minimum(x_s - t_s[0], 0.0), np.maximum(x_s - t_s[-1], 0.0)
        return np.asarray(inside + before_w * before_s + after_w * after_s, dtype=np.float64)

    return at, lambda x_s: np.interp(x_s, prepared.steps.t_s, covered)


def _lost_s(steps: Unfolded, a_s: float, b_s: float) -> float:
    """Seconds of the window that lie in steps which say nothing."""
    if steps.sound:
        return 0.0
    over = overlap_s(steps.t_s[:-1], steps.t_s[1:], a_s, b_s)
    return float(np.where(steps.valid, 0.0, over).sum())


def _half_range_w(steps: Unfolded, sensor: Sensor) -> float:
    """Half of what the power may span where nothing was seen, W."""
    if math.isfinite(sensor.high_w):
        return (sensor.high_w - sensor.low_w) / 2
    watts = steps.gained_j[steps.valid] / np.diff(steps.t_s)[steps.valid]
    return float(watts.max()) if len(watts) else 0.0


@dataclass(frozen=True)
class _Edge:
    """The true joules at one edge of the window, as the counter scales them."""

    total_j: float
    u_j: float

    @classmethod
    def at(cls, known: UpdateTimes, x_s: float) -> "_Edge":
        """The line through the updates at x; beyond them the power of the last ones goes on."""
        t_s, half_s, total_j = known.t_s, known.half_s, known.total_j
        if len(t_s) < 2:  # noqa: PLR2004 - a slope needs two points
            return cls(float(total_j[0]), 0.0)
        k = min(max(int(t_s.searchsorted(x_s, side="right")) - 1, 0), len(t_s) - 2)
        near = slice(max(0, k - 1), k + 3)
        # Of four points plain numbers are many times faster than arrays.
        line = _Line(t_s[near].tolist(), total_j[near].tolist())
        watts = line.watts
        before_s, after_s = x_s - float(t_s[k]), float(t_s[k + 1]) - x_s
        inside = before_s >= 0 and after_s >= 0
        bend_s = before_s * after_s / (before_s + after_s) if inside else -min(before_s, after_s)
        shift_s = _Line(t_s[k : k + 2].tolist(), half_s[k : k + 2].tolist()).within(x_s)
        here_j = line.at(x_s)
        moved_j = max(line.at(x_s + shift_s) - here_j, here_j - line.at(x_s - shift_s))
        bent_j = (max(watts) - min(watts)) * bend_s
        return cls(here_j, 2 / math.sqrt(3) * (moved_j + bent_j))


class _Line(NamedTuple):
    """A few updates, joined by a line that goes on with their mean power at its ends."""

    t_s: list[float]
    total_j: list[float]

    @property
    def watts(self) -> list[float]:
        """Power between updates."""
        steps = zip(pairwise(self.t_s), pairwise(self.total_j), strict=True)
        return [(e1 - e0) / (t1 - t0) for (t0, t1), (e0, e1) in steps]

    def within(self, x_s: float) -> float:
        """The line at x; beyond its ends their own values."""
        t_s, total_j = self.t_s, self.total_j
        if x_s <= t_s[0]:
            return total_j[0]
        for k in range(1, len(t_s)):
            if x_s < t_s[k]:
                slope = (total_j[k] - total_j[k - 1]) / (t_s[k] - t_s[k - 1])
                return total_j[k - 1] + slope * (x_s - t_s[k - 1])
        return total_j[-1]

    def at(self, x_s: float) -> float:
        """The line at x; beyond its ends the mean power goes on."""
        outside_s = min(x_s - self.t_s[0], 0.0) + max(x_s - self.t_s[-1], 0.0)
        if not outside_s:
            return self.within(x_s)
        return self.within(x_s) + outside_s * fmean(self.watts)


def _bound_j(prepared: _Prepared, a_s: float, b_s: float) -> tuple[float, float] | None:
    """Least and greatest joules that the readings allow, whatever the power did between them.

    For a reading with value v at stamp t (known to u), whose last update is at most A old, the
    true joules C(t), as the counter scales them, obey v - H u <= C(t) <= v + step + H (A + u),
    with H the greatest power. From each of the readings next to an edge the power range leads on
    to the edge itself. Joules never fall: what a later update shows is a bound without any H.
    """
    sensor = prepared.sensor
    if not math.isfinite(sensor.high_w):
        return None
    lows, highs = [], []
    for p in prepared.near(a_s):
        for q in prepared.near(b_s):
            if p.place <= q.place:
                low, high = _between(sensor, (p, a_s), (q, b_s))
                lows.append(low)
                highs.append(high)
    duration_s = b_s - a_s
    least = max(max(lows) / (1 + sensor.gain), sensor.low_w * duration_s)
    most = sensor.high_w * duration_s
    if sensor.gain < 1:
        most = min(min(highs) / (1 - sensor.gain), most)
    return float(min(least, most)), float(max(least, most))


def _neighbours(prepared: _Prepared, x_s: float) -> list[int]:
    """Readings on both sides of x, and the first one that shows an update after x."""
    t_s = prepared.steps.t_s
    k = int(t_s.searchsorted(x_s, side="right"))
    ahead = slice(k, k + _LOOKED_AHEAD)
    later = k + np.flatnonzero(t_s[ahead] - prepared.ages_s[ahead] >= x_s)[:1]
    return [index for index in (k - 1, k, *later.tolist()) if 0 <= index < len(t_s)]


def _between(
    sensor: Sensor, begin: tuple[_Near, float], end: tuple[_Near, float]
) -> tuple[float, float]:
    """Range of the shown joules from one edge to the other, by way of a reading near each."""
    (p, a_s), (q, b_s) = begin, end
    if p.place == q.place:
        low_p, high_p = _leads(p.t_s - a_s, sensor)
        low_q, high_q = _leads(b_s - q.t_s, sensor)
        return low_p + low_q, high_p + high_q
    sure_j, lost_s = q.sure_j - p.sure_j, q.lost_s - p.lost_s
    low_w = sensor.low_w * (1 - sensor.gain)
    # Both values are cut down to the same step, so that it counts once.
    low = sure_j + low_w * lost_s + q.low_j - p.high_j - sensor.step_j
    return low, sure_j + sensor.shown_high_w * lost_s + q.high_j - p.low_j + sensor.step_j


def _offset_j(prepared: _Prepared, index: int, x_s: float) -> tuple[float, float]:
    """How far the true joules at x can lie from what a reading shows, its step left aside."""
    sensor, t_s = prepared.sensor, float(prepared.steps.t_s[index])
    age_s, stamp_s = float(prepared.ages_s[index]), float(prepared.steps.u_s[index])
    low_j, high_j = _leads(x_s - t_s, sensor)
    low_j -= sensor.shown_high_w * stamp_s
    high_j += sensor.shown_high_w * age_s
    if t_s - age_s >= x_s:
        high_j = min(high_j, 0.0)
    return low_j, high_j


def _leads(outside_s: float, sensor: Sensor) -> tuple[float, float]:
    """Range of what the power adds on the way from a reading to the edge (negative: takes away)."""
    low_w, high_w = sensor.low_w * (1 - sensor.gain), sensor.shown_high_w
    if outside_s >= 0:
        return low_w * outside_s, high_w * outside_s
    return high_w * outside_s, low_w * outside_s
