"""Joules from an energy counter: difference with wraps unfolded, and how far it can be wrong.

A counter that is read at time s shows the joules up to its last update, at most one update period
before s, cut down to its step. It starts again at zero after `wrap_j`.
"""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from harness.measure.series import (
    Bool,
    Float,
    Part,
    Series,
    gap_max_s,
    overlap_s,
)
from harness.records import Domain

_WRAP_GUESS = 0.25
"""Without a known power range, a fall counts as a wrap only if it makes less than this of one."""


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
        return np.concatenate(([0.0], np.cumsum(self.gained_j)))


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
    steps = np.abs(np.diff(series.energy_j))
    return float(steps[steps > 0].min()) if (steps > 0).any() else 0.0


def unfold(series: Series, domain: Domain) -> Unfolded:
    """Undo wraps and mark steps that no wrap and no power within range explains.

    A step is invalid where the counter fell and no wrap range is known, where it rose by more
    than the greatest power allows, or where more than one wrap fits into the time between.
    """
    sensor = Sensor.of(domain, series)
    t_s, gained = series.t_s, np.diff(series.energy_j)
    slack_s = sensor.update_s + series.u_s[1:] + series.u_s[:-1]
    most = sensor.shown_high_w * (np.diff(t_s) + slack_s) + 2 * sensor.step_j
    fell = gained < 0
    wrapped = np.zeros(len(gained), bool)
    if domain.wrap_j is not None:
        gained = np.where(fell, gained + domain.wrap_j, gained)
        least = np.minimum(most, _WRAP_GUESS * domain.wrap_j) if math.isinf(sensor.high_w) else most
        wrapped = fell & (gained <= least)
        ambiguous = np.isfinite(most) & (most >= domain.wrap_j)
    else:
        ambiguous = np.zeros(len(gained), bool)
    valid = (~fell | wrapped) & (gained <= most) & (gained >= 0) & ~ambiguous
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


@lru_cache(maxsize=8)
def _prepared(series: Series, domain: Domain) -> tuple[Sensor, Unfolded]:
    """The same for every window of a trace."""
    return Sensor.of(domain, series), unfold(series, domain)


def measure(series: Series, domain: Domain, a_s: float, b_s: float) -> Part:
    """Joules between a and b with terms, bound and coverage."""
    sensor, steps = _prepared(series, domain)
    lost_s = np.where(steps.valid, 0.0, overlap_s(steps.t_s[:-1], steps.t_s[1:], a_s, b_s))
    seen_s = max(0.0, min(b_s, steps.t_s[-1]) - max(a_s, steps.t_s[0])) - lost_s.sum()
    covered = max(0.0, float(seen_s)) / (b_s - a_s)
    begin, end = _Edge.at(steps, a_s, sensor), _Edge.at(steps, b_s, sensor)
    # The lag of half an update moves both edges alike; only a change of power leaves a trace.
    lag_j = (end.power_w - begin.power_w) * sensor.update_s / 2
    unseen_s = (b_s - a_s) * (1 - covered)
    lost = bool(lost_s.any())
    inside = (series.t_s >= a_s) & (series.t_s <= b_s)
    return Part(
        energy_j=max(0.0, end.total_j - begin.total_j + lag_j),
        bound_j=bound_j(steps, sensor, a_s, b_s),
        terms={
            "quantisation": 2 * sensor.step_j / math.sqrt(6),
            "edges": math.hypot(begin.u_j, end.u_j),
            "gaps": unseen_s * _half_range_w(steps, sensor),
            "aliasing": 0.0,
        },
        coverage_ratio=min(1.0, covered),
        gap_max_s=gap_max_s(series.t_s, a_s, b_s),
        readings_count=int(inside.sum()),
        reason="the counter was reset or jumped within the window" if lost else "",
    )


def _half_range_w(steps: Unfolded, sensor: Sensor) -> float:
    """Half of what the power may span where nothing was seen, W."""
    if math.isfinite(sensor.high_w):
        return (sensor.high_w - sensor.low_w) / 2
    watts = steps.gained_j[steps.valid] / np.diff(steps.t_s)[steps.valid]
    return float(watts.max()) if len(watts) else 0.0


@dataclass(frozen=True)
class _Edge:
    """The counter at one edge of the window."""

    total_j: float
    power_w: float
    """Mean power around the edge."""
    u_j: float

    @classmethod
    def at(cls, steps: Unfolded, x_s: float, sensor: Sensor) -> "_Edge":
        """Interpolate at x; beyond the readings the mean power around the nearest one goes on."""
        t_s, total_j = steps.t_s, steps.total_j
        watts = _watts_around(steps, x_s, sensor.update_s)
        inside_s = min(max(x_s, float(t_s[0])), float(t_s[-1]))
        value = float(np.interp(inside_s, t_s, total_j)) + (x_s - inside_s) * float(watts.mean())
        k = min(max(int(t_s.searchsorted(x_s, side="right")) - 1, 0), len(t_s) - 2)
        before_s, after_s = max(0.0, x_s - t_s[k]), max(0.0, t_s[k + 1] - x_s)
        # A line between two readings is off by at most this much where the power steps once.
        bend_s = before_s * after_s / (t_s[k + 1] - t_s[k])
        swing_w = float(watts.max() - watts.min())
        stamp_s = float(max(steps.u_s[k], steps.u_s[k + 1]))
        mean_w = float(watts.mean())
        u_j = math.hypot(
            2 * mean_w * sensor.update_s / math.sqrt(12),
            2 * mean_w * stamp_s / math.sqrt(3),
            2 * swing_w * bend_s / math.sqrt(3),
        )
        return cls(value, mean_w, u_j)


def _watts_around(steps: Unfolded, x_s: float, update_s: float) -> Float:
    """Mean powers of a few stretches around x, each long enough to hold two updates."""
    t_s, total_j = steps.t_s, steps.total_j
    k = min(max(int(t_s.searchsorted(x_s, side="right")) - 1, 0), len(t_s) - 2)
    near = t_s[max(0, k - 8) : k + 10]
    # Of eighteen numbers the standard library finds the median sooner.
    usual_s = statistics.median((near[1:] - near[:-1]).tolist())
    stride = max(1, math.ceil(2 * update_s / usual_s)) if usual_s > 0 else 1
    picks = sorted({min(max(k + stride * each, 0), len(t_s) - 1) for each in (-1, 0, 1, 2)})
    if len(picks) < 2:  # noqa: PLR2004 - a slope needs two points
        picks = [k, k + 1]
    joules, stamps = total_j[picks], t_s[picks]
    return np.asarray((joules[1:] - joules[:-1]) / (stamps[1:] - stamps[:-1]), dtype=np.float64)


def bound_j(steps: Unfolded, sensor: Sensor, a_s: float, b_s: float) -> tuple[float, float] | None:
    """Least and greatest joules that the readings allow, whatever the power did between them.

    For a reading with value v at stamp t (known to u), the true joules C(t), as the counter
    scales them, obey v - H u <= C(t) <= v + step + H (update + u), with H the greatest power.
    From each of the readings next to an edge the power range leads on to the edge itself.
    """
    if not math.isfinite(sensor.high_w):
        return None
    t_s = steps.t_s
    lows, highs = [], []
    for p in _neighbours(t_s, a_s):
        for q in _neighbours(t_s, b_s):
            if p <= q:
                low, high = _between(steps, sensor, p, q)
                low_a, high_a = _leads(t_s[p] - a_s, sensor)
                low_b, high_b = _leads(b_s - t_s[q], sensor)
                lows.append(low + low_a + low_b)
                highs.append(high + high_a + high_b)
    duration_s = b_s - a_s
    least = max(max(lows) / (1 + sensor.gain), sensor.low_w * duration_s)
    most = sensor.high_w * duration_s
    if sensor.gain < 1:
        most = min(min(highs) / (1 - sensor.gain), most)
    return float(min(least, most)), float(max(least, most))


def _neighbours(t_s: Float, x_s: float) -> list[int]:
    """Indices of the readings on both sides of x."""
    k = int(np.searchsorted(t_s, x_s, side="right"))
    return [index for index in (k - 1, k) if 0 <= index < len(t_s)]


def _between(steps: Unfolded, sensor: Sensor, p: int, q: int) -> tuple[float, float]:
    """Range of the shown joules between the stamps of readings p and q."""
    valid = steps.valid[p:q]
    sure_j = float(steps.gained_j[p:q][valid].sum())
    lost_s = float(np.diff(steps.t_s[p : q + 1])[~valid].sum())
    lag_s = sensor.update_s
    high_w = sensor.shown_high_w
    if p == q:
        return 0.0, 0.0
    stamps_s = float(steps.u_s[p] + steps.u_s[q])
    spread_j = sensor.step_j + high_w * (lag_s + stamps_s)
    low_w = sensor.low_w * (1 - sensor.gain)
    return sure_j + low_w * lost_s - spread_j, sure_j + high_w * lost_s + spread_j


def _leads(outside_s: float, sensor: Sensor) -> tuple[float, float]:
    """Range of what the power adds on the way from a reading to the edge (negative: takes away)."""
    low_w, high_w = sensor.low_w * (1 - sensor.gain), sensor.shown_high_w
    if outside_s >= 0:
        return low_w * outside_s, high_w * outside_s
    return high_w * outside_s, low_w * outside_s
