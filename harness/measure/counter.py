"""Energy from an energy counter: its difference, corrected for wraps, and how wrong it can be.

A counter that is read at time s shows the energy up to its last update, at most one update period
U before s, cut down to its step. It starts again at zero after `wrap_j`.

U is what the readings themselves show (`updates.observe_period_s`); what the meter states counts
where they do not contradict it, and in no hard bound.

The true energy C at an edge x of the window follows from the updates around x, whose times are
known to within h (`updates.detect_updates`): h is U / 2 where the counter is read about once per
period, and half of the spacing of the reads where it is read more often, as it is after a mark.
The estimate is the line through the updates. It is wrong in two ways:

- The updates happened up to h earlier or later. All of them move alike, since one clock drives
  them, and the error is what the estimate gains between x - h and x + h. It is uniform over a range
  of this half-width a: k = 2 gives 2 a / sqrt(3) (GUM, JCGM 100:2008, 4.3.7). The gain is taken
  from the counter itself and not from a mean power: in a pulse of 200 ms the mean of half a second
  is too small by half.
- The power changed between two updates. A single step of the power by s, with the times p before
  and q after x between the updates, changes the estimate by at most s p q / (p + q), uniform again.
  s is seen in the neighbours, but pulses that are synchronized with the updates are not: s is never
  taken as less than three quarters of the mean power (docs/meters.md shows what that covers).

The first error is of one clock at both edges, and the second depends on the same power: they are
not independent and their correlation is unknown, so that they are added, not squared (GUM 5.2.2,
F.1.2.3). What happened between the updates at one edge says nothing of the other edge.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
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
    running_sum,
)
from harness.measure.updates import UpdateTimes, ages_s, detect_updates, observe_period_s
from harness.records import Domain

_WRAP_GUESS = 0.25
"""Without a known power range, a fall counts as a wrap only if the gain is less than this part."""

_HIDDEN_SWING = 0.75
"""Least swing of the power between two updates, as a part of its mean."""

_READINGS_AHEAD = 64
"""So many readings after an edge are searched for one that shows a later update."""


@dataclass(frozen=True, eq=False)
class Unfolded:
    """Steps of a counter, corrected for its wraps."""

    t_s: Float
    u_s: Float
    gained_j: Float
    """Energy between successive readings; an estimate where `valid` is False."""
    valid: Bool
    wrapped: Bool

    @cached_property
    def total_j(self) -> Float:
        """Energy since the first reading."""
        return running_sum(self.gained_j)

    @cached_property
    def all_valid(self) -> bool:
        """Whether every step is valid."""
        return bool(self.valid.all())


@dataclass(frozen=True)
class CounterProperties:
    """The counter as its domain describes it, with plain defaults for what is unknown."""

    update_s: float
    longest_s: float
    """Longest update period that the readings allow."""
    step_j: float
    low_w: float
    high_w: float
    """Infinite where unknown."""
    gain: float

    @classmethod
    def of(cls, domain: Domain, series: Series) -> "CounterProperties":
        """From the domain and its readings; an unknown step is the least change among them."""
        # An estimate is computed for its own time, so that it has neither lag nor step.
        estimate = domain.method in ("modelled", "declared")
        step_j = domain.resolution_j or 0.0
        if domain.resolution_j is None and not estimate:
            steps_j = np.abs(series.energy_j[1:] - series.energy_j[:-1])
            step_j = float(steps_j[steps_j > 0].min(initial=math.inf))
        stated_s = 0.0 if estimate else domain.update_period_s or 0.0
        update_s, longest_s = observe_period_s(series.t_s, series.energy_j, stated_s)
        return cls(
            update_s=update_s,
            longest_s=0.0 if estimate else longest_s,
            step_j=step_j if math.isfinite(step_j) else 0.0,
            low_w=domain.power_low_w or 0.0,
            high_w=math.inf if domain.power_high_w is None else domain.power_high_w,
            gain=domain.gain_error_ratio or 0.0,
        )

    @property
    def shown_low_w(self) -> float:
        """Least power as the counter may show it."""
        return self.low_w * (1 - self.gain)

    @property
    def shown_high_w(self) -> float:
        """Greatest power as the counter may show it."""
        return self.high_w * (1 + self.gain)

    def shown_range_j(self, duration_s: float) -> tuple[float, float]:
        """Least and greatest energy of a duration; a negative one is subtracted."""
        ends = self.shown_low_w * duration_s, self.shown_high_w * duration_s
        return ends if duration_s >= 0 else ends[::-1]


def unfold(series: Series, domain: Domain) -> Unfolded:
    """Correct wraps, and mark steps that no wrap and no power within range explains.

    A step is invalid where the counter fell and no wrap range is known, where it rose by more
    than the greatest power allows, or where more than one wrap fits into the time between.
    """
    return _unfold(series, CounterProperties.of(domain, series), domain.wrap_j)


def _unfold(series: Series, sensor: CounterProperties, wrap_j: float | None) -> Unfolded:
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
    filled = np.where(valid, gained, _estimate_j(series, gained, valid))
    return Unfolded(t_s, series.u_s, filled, valid, wrapped & valid)


def _estimate_j(series: Series, gained: Float, valid: Bool) -> Float:
    """Best estimate for invalid steps: from power readings if there are any, else the neighbours.

    It is never silent: its whole possible range is in the term `gaps`.
    """
    dt_s = np.diff(series.t_s)
    if np.isfinite(series.power_w).all():
        return (series.power_w[1:] + series.power_w[:-1]) / 2 * dt_s
    if not valid.any():
        return np.zeros(len(gained))
    middle = (series.t_s[1:] + series.t_s[:-1]) / 2
    watts = np.interp(middle, middle[valid], gained[valid] / dt_s[valid])
    return np.asarray(watts * dt_s, dtype=np.float64)


# --- one interval ---------------------------------------------------------------------------------


class _Neighbour(NamedTuple):
    """A reading next to an edge, and how far the true energy at the edge can be from it."""

    place: int
    t_s: float
    valid_j: float
    """Energy of the valid steps up to it."""
    lost_s: float
    """Duration of the other steps up to it."""
    low_j: float
    high_j: float


class _Edge(NamedTuple):
    """The true energy at one edge of the window, as the counter scales it."""

    total_j: float
    moved_j: float
    """Half-width of the error by the times of the updates."""
    bent_j: float
    """Half-width of the error by what the power did between them."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What is the same for all windows of a trace, and for all windows with the same edge."""

    sensor: CounterProperties
    steps: Unfolded
    updates: UpdateTimes
    ages_s: Float
    _edges: dict[float, _Edge] = field(default_factory=dict)
    _neighbours: dict[float, list[_Neighbour]] = field(default_factory=dict)

    @cached_property
    def valid_j(self) -> Float:
        """Energy of the valid steps up to each reading."""
        return running_sum(np.where(self.steps.valid, self.steps.gained_j, 0.0))

    @cached_property
    def lost_s(self) -> Float:
        """Duration of the invalid steps up to each reading."""
        return running_sum(np.where(self.steps.valid, 0.0, np.diff(self.steps.t_s)))

    def edge(self, x_s: float) -> _Edge:
        """The true energy at x."""
        if x_s not in self._edges:
            self._edges[x_s] = _edge(self.updates, x_s)
        return self._edges[x_s]

    def neighbours(self, x_s: float) -> list[_Neighbour]:
        """The readings on both sides of x, and the first one that shows an update after x."""
        if x_s not in self._neighbours:
            t_s = self.steps.t_s
            k = int(t_s.searchsorted(x_s, side="right"))
            ahead = slice(k, k + _READINGS_AHEAD)
            later = k + np.flatnonzero(t_s[ahead] - self.ages_s[ahead] >= x_s)[:1]
            indices = [i for i in (k - 1, k, *later.tolist()) if 0 <= i < len(t_s)]
            self._neighbours[x_s] = [self._neighbour(index, x_s) for index in indices]
        return self._neighbours[x_s]

    def _neighbour(self, index: int, x_s: float) -> _Neighbour:
        t_s, age_s = float(self.steps.t_s[index]), float(self.ages_s[index])
        low_j, high_j = self.sensor.shown_range_j(x_s - t_s)
        low_j -= self.sensor.shown_high_w * float(self.steps.u_s[index])
        high_j += self.sensor.shown_high_w * age_s
        if t_s - age_s >= x_s:
            high_j = min(high_j, 0.0)
        lost_s = 0.0 if self.steps.all_valid else float(self.lost_s[index])
        return _Neighbour(index, t_s, float(self.valid_j[index]), lost_s, low_j, high_j)


@lru_cache(maxsize=8)
def _prepare(series: Series, domain: Domain) -> _Prepared:
    sensor = CounterProperties.of(domain, series)
    steps = _unfold(series, sensor, domain.wrap_j)
    updates = detect_updates(steps.t_s, steps.u_s, steps.total_j, sensor.update_s)
    changed = series.energy_j[1:] - series.energy_j[:-1] != 0
    ages = ages_s(steps.t_s, steps.u_s, changed, sensor.longest_s)
    return _Prepared(sensor, steps, updates, ages)


def measure(series: Series, domain: Domain, a_s: float, b_s: float) -> Part:
    """Energy between a and b with uncertainty terms, bound and coverage."""
    prepared = _prepare(series, domain)
    sensor, steps = prepared.sensor, prepared.steps
    lost_s = 0.0
    if not steps.all_valid:
        over_s = overlap_s(steps.t_s[:-1], steps.t_s[1:], a_s, b_s)
        lost_s = float(over_s[~steps.valid].sum())
    read_s = max(0.0, min(b_s, steps.t_s[-1]) - max(a_s, steps.t_s[0])) - lost_s
    covered = max(0.0, float(read_s)) / (b_s - a_s)
    begin, end = prepared.edge(a_s), prepared.edge(b_s)
    return Part(
        energy_j=max(0.0, end.total_j - begin.total_j),
        bound_j=_bound_j(prepared, a_s, b_s),
        terms={
            "quantisation": 2 * sensor.step_j / math.sqrt(6),
            "edges": _edges_u_j(begin, end),
            "gaps": (b_s - a_s) * (1 - covered) * _half_range_w(steps, sensor),
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
    prepared = _prepare(series, domain)
    t_s, total_j = prepared.updates.t_s, prepared.updates.total_j
    covered = prepared.steps.t_s - prepared.steps.t_s[0] - prepared.lost_s
    # Beyond its updates the curve goes on with their mean power, as `_edge` does.
    watts = np.diff(total_j) / np.diff(t_s)
    before_w, after_w = (
        float(part.mean()) if len(part) else 0.0 for part in (watts[:2], watts[-2:])
    )

    def at(x_s: Float) -> Float:
        inside = np.interp(x_s, t_s, total_j)
        before_s, after_s = np.minimum(x_s - t_s[0], 0.0), np.maximum(x_s - t_s[-1], 0.0)
        return np.asarray(inside + before_w * before_s + after_w * after_s, dtype=np.float64)

    return at, lambda x_s: np.interp(x_s, prepared.steps.t_s, covered)


def _half_range_w(steps: Unfolded, sensor: CounterProperties) -> float:
    """Half of the possible range of the power where nothing was read, W."""
    if math.isfinite(sensor.high_w):
        return (sensor.high_w - sensor.low_w) / 2
    watts = steps.gained_j[steps.valid] / np.diff(steps.t_s)[steps.valid]
    return float(watts.max()) if len(watts) else 0.0


def _edge(updates: UpdateTimes, x_s: float) -> _Edge:
    """The line through the updates at x; beyond them the mean power of the nearest goes on."""
    if len(updates.t_s) < 2:  # noqa: PLR2004 - a slope needs two points
        return _Edge(float(updates.total_j[0]), 0.0, 0.0)
    k = min(max(int(updates.t_s.searchsorted(x_s, side="right")) - 1, 0), len(updates.t_s) - 2)
    near, pair = slice(max(0, k - 1), k + 3), slice(k, k + 2)
    # For four points plain numbers are many times faster than arrays.
    t_s: list[float] = updates.t_s[near].tolist()
    total_j: list[float] = updates.total_j[near].tolist()
    steps = zip(pairwise(t_s), pairwise(total_j), strict=True)
    watts = [(e1 - e0) / (t1 - t0) for (t0, t1), (e0, e1) in steps]
    mean_w = fmean(watts)

    def energy_at(time_s: float) -> float:
        inside_s = min(max(time_s, t_s[0]), t_s[-1])
        return _interpolate(inside_s, t_s, total_j) + (time_s - inside_s) * mean_w

    begin_s, end_s = map(float, updates.t_s[pair])
    before_s, after_s = x_s - begin_s, end_s - x_s
    inside = before_s >= 0 and after_s >= 0
    bend_s = before_s * after_s / (before_s + after_s) if inside else -min(before_s, after_s)
    half_s = updates.half_s[pair].tolist()
    shift_s = _interpolate(min(max(x_s, begin_s), end_s), [begin_s, end_s], half_s)
    here_j = energy_at(x_s)
    moved_j = max(energy_at(x_s + shift_s) - here_j, here_j - energy_at(x_s - shift_s))
    bent_j = max(max(watts) - min(watts), _HIDDEN_SWING * mean_w) * bend_s
    return _Edge(here_j, moved_j, bent_j)


def _edges_u_j(begin: _Edge, end: _Edge) -> float:
    """Uncertainty of the difference, k = 2."""
    halves_j = begin.moved_j + end.moved_j + math.hypot(begin.bent_j, end.bent_j)
    return 2 / math.sqrt(3) * halves_j


def _interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The line through a few points at an x between the first and the last one."""
    k = min(bisect_right(xs, x), len(xs) - 1)
    slope = (ys[k] - ys[k - 1]) / (xs[k] - xs[k - 1])
    return ys[k - 1] + slope * (x - xs[k - 1])


def _bound_j(prepared: _Prepared, a_s: float, b_s: float) -> tuple[float, float] | None:
    """Least and greatest energy that the readings allow, whatever the power did between them.

    For a reading with value v at time t (known to u), whose last update is at most A old, the
    true energy C(t), as the counter scales it, obeys v - H u <= C(t) <= v + step + H (A + u),
    with H the greatest power. From the readings next to an edge the power range leads to the edge
    itself. Energy never falls: what a later update shows is a bound without any H.
    """
    sensor = prepared.sensor
    if not math.isfinite(sensor.high_w):
        return None
    ranges = [
        _between_j(sensor, p, q, (a_s, b_s))
        for p in prepared.neighbours(a_s)
        for q in prepared.neighbours(b_s)
        if p.place <= q.place
    ]
    duration_s = b_s - a_s
    least = max(max(low for low, _ in ranges) / (1 + sensor.gain), sensor.low_w * duration_s)
    most = sensor.high_w * duration_s
    if sensor.gain < 1:
        most = min(min(high for _, high in ranges) / (1 - sensor.gain), most)
    return float(min(least, most)), float(max(least, most))


def _between_j(
    sensor: CounterProperties, p: _Neighbour, q: _Neighbour, edges_s: tuple[float, float]
) -> tuple[float, float]:
    """Range of the shown energy between the edges, through reading p at one and q at the other."""
    if p.place == q.place:
        parts = sensor.shown_range_j(p.t_s - edges_s[0]), sensor.shown_range_j(edges_s[1] - q.t_s)
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
    valid_j, lost_s = q.valid_j - p.valid_j, q.lost_s - p.lost_s
    # Both values are cut down to the same step, so that it counts once.
    low = valid_j + sensor.shown_low_w * lost_s + q.low_j - p.high_j - sensor.step_j
    high = valid_j + sensor.shown_high_w * lost_s + q.high_j - p.low_j + sensor.step_j
    return low, high
