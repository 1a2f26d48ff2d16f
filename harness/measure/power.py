"""Joules from power readings: the area under them, and how far it can be wrong.

A sensor that is read at time s shows the mean power of its averaging window, which ended at the
sensor's last update, at most one update period before s. Where the window is shorter than the
period (25 of 100 ms on A100 and H100) the power in between is never seen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.measure.series import (
    Float,
    Part,
    Series,
    distinct_count,
    gap_max_s,
    nominal_period_s,
    overlap_s,
)
from harness.measure.window import AveragingWindow
from harness.records import Domain

Rule = Literal["linear", "hold", "hold-back"]
"""How power readings are summed; see `integrate`."""

_PERIODS_BRIDGED = 2.0
"""Two readings further apart than this many periods leave a gap."""

_APART = 0.5
"""Readings closer together than this part of an update period are taken for one."""


@dataclass(frozen=True)
class Sensor:
    """What the domain's record says of the power sensor."""

    update_s: float
    read_s: float
    """Asked-for time between two readings; 0 where unknown."""
    window_s: float | None
    """Averaging window; None where unknown."""
    window_low_s: float
    window_high_s: float
    """What the window may be, where it was not measured or the readings contradict it."""
    step_w: float
    low_w: float
    high_w: float
    """Infinite where unknown."""
    gain: float

    @classmethod
    def of(cls, domain: Domain, series: Series, seen: AveragingWindow | None = None) -> "Sensor":
        """From the record; an unknown step is taken from the readings.

        A window that the readings contradict gives way to the one that they show; the range that
        the hard bound rests on only ever widens.
        """
        steps = np.abs(np.diff(series.power_w))
        least_w = float(steps[steps > 0].min()) if (steps > 0).any() else 0.0
        stated_s = domain.averaging_window_s
        low_s, high_s = domain.averaging_window_low_s or stated_s or 0.0, stated_s or 0.0
        refuted = seen is not None and stated_s is not None and seen.contradicts(stated_s)
        if seen is not None and refuted:
            low_s, high_s = min(low_s, seen.low_s), max(high_s, seen.high_s)
        return cls(
            update_s=domain.update_period_s or 0.0,
            read_s=domain.read_period_s or 0.0,
            window_s=seen.best_s if seen is not None and refuted else stated_s,
            window_low_s=low_s,
            window_high_s=high_s,
            step_w=domain.resolution_w if domain.resolution_w is not None else least_w,
            low_w=domain.power_low_w or 0.0,
            high_w=math.inf if domain.power_high_w is None else domain.power_high_w,
            gain=domain.gain_error_ratio or 0.0,
        )

    @property
    def lag_s(self) -> float:
        """Mean age of a reading: half an update and half a window."""
        return (self.update_s + (self.window_s or 0.0)) / 2


def measure(
    series: Series, domain: Domain, a_s: float, b_s: float, seen: AveragingWindow | None = None
) -> Part:
    """Joules between a and b with terms, bound and coverage; `seen`: the window as measured."""
    sensor = Sensor.of(domain, series, seen)
    t_s = series.t_s
    thin = thinned(series, sensor.update_s)
    period_s = _period_s(series, sensor)
    unseen_s = _unseen_s(t_s, a_s, b_s, _PERIODS_BRIDGED * period_s)
    edges = (_edge_u_j(series, sensor, x_s, period_s) for x_s in (a_s, b_s))
    return Part(
        energy_j=integrate(thin.t_s - sensor.lag_s, thin.power_w, a_s, b_s),
        bound_j=bound_j(series, sensor, a_s, b_s),
        terms={
            "quantisation": 2 * sensor.step_w / math.sqrt(12) * (b_s - a_s),
            "edges": math.hypot(*edges),
            "gaps": unseen_s * _half_range_w(series.power_w, sensor),
            "aliasing": _aliasing_j(thin.t_s, thin.power_w, a_s, b_s),
        },
        coverage_ratio=max(0.0, 1 - unseen_s / (b_s - a_s)),
        gap_max_s=gap_max_s(t_s, a_s, b_s),
        readings_count=distinct_count(t_s, a_s, b_s, sensor.update_s),
        reason="readings are missing within the window" if unseen_s > 0 else "",
    )


def thinned(series: Series, update_s: float) -> Series:
    """Readings that lie at least most of an update apart: what is read more often says no more.

    The age of a reading is uniform over one update, which `Sensor.lag_s` takes for granted; and
    a step between two readings of a few milliseconds would pass for one that came just there.
    """
    least_s, t_s = _APART * update_s, series.t_s
    if len(t_s) < 2 or float(np.diff(t_s).min()) >= least_s:  # noqa: PLR2004 - nothing is apart
        return series
    kept, last_s = [], -math.inf
    for index, stamp_s in enumerate(t_s.tolist()):
        if stamp_s - last_s >= least_s:
            kept.append(index)
            last_s = stamp_s
    return series.at(np.array(kept))


def integrate(
    t_s: Float, watts: Float, start_s: float, end_s: float, rule: Rule = "linear"
) -> float:
    """Integral of power readings from `start_s` to `end_s`, joules.

    Before the first reading its power holds, and after the last one that of the last.

    Args:
        t_s: times of the readings, ascending, seconds.
        watts: the readings.
        start_s: start of the interval.
        end_s: its end.
        rule: `linear` joins the readings by lines (trapezoids); `hold` keeps each reading until
            the next one (left sum); `hold-back` takes each for the time since the one before
            (right sum, as MLPerf's power rules do).
    """
    knots = np.concatenate(([start_s], t_s[(t_s > start_s) & (t_s < end_s)], [end_s]))
    if rule == "linear":
        return float(np.trapezoid(np.interp(knots, t_s, watts), knots))
    if rule == "hold":
        index = np.searchsorted(t_s, knots[:-1], side="right") - 1
    else:
        index = np.searchsorted(t_s, knots[1:], side="left")
    return float(np.sum(watts[np.clip(index, 0, len(t_s) - 1)] * np.diff(knots)))


def curve(
    series: Series, domain: Domain, seen: AveragingWindow | None = None
) -> tuple[Callable[[Float], Float], Callable[[Float], Float]]:
    """Functions of time for `EnergyCurve`: joules since the first reading, and covered seconds."""
    sensor = Sensor.of(domain, series, seen)
    thin = thinned(series, sensor.update_s)
    t_s, watts = thin.t_s - sensor.lag_s, thin.power_w
    sums = np.concatenate(([0.0], np.cumsum((watts[1:] + watts[:-1]) / 2 * np.diff(t_s))))
    steps_s = np.diff(series.t_s)
    limit_s = _PERIODS_BRIDGED * _period_s(series, sensor)
    covered = np.concatenate(([0.0], np.cumsum(np.where(steps_s > limit_s, 0.0, steps_s))))

    def at(x_s: Float) -> Float:
        index = np.clip(np.searchsorted(t_s, x_s, side="right") - 1, 0, None)
        mean_w = (watts[index] + np.interp(x_s, t_s, watts)) / 2
        return np.asarray(sums[index] + mean_w * (x_s - t_s[index]), dtype=np.float64)

    return at, lambda x_s: np.interp(x_s, series.t_s, covered)


def _period_s(series: Series, sensor: Sensor) -> float:
    """Longest of the usual time between readings, the update period and the read period."""
    return max(nominal_period_s(series.t_s, sensor.update_s), sensor.update_s, sensor.read_s)


def _unseen_s(t_s: Float, a_s: float, b_s: float, limit_s: float) -> float:
    """Time of the window in gaps longer than the limit, and before the first or after the last."""
    steps = np.diff(t_s)
    lost = overlap_s(t_s[:-1], t_s[1:], a_s, b_s)[steps > limit_s].sum()
    before, after = max(0.0, min(b_s, t_s[0]) - a_s), max(0.0, b_s - max(a_s, t_s[-1]))
    return float(lost + before + after)


def _half_range_w(watts: Float, sensor: Sensor) -> float:
    if math.isfinite(sensor.high_w):
        return (sensor.high_w - sensor.low_w) / 2
    return float(watts.max())


def _edge_u_j(series: Series, sensor: Sensor, x_s: float, period_s: float) -> float:
    """Uncertainty from not knowing just when the power changed near an edge, k = 2."""
    window_s = sensor.window_high_s
    # A long average smears a change over its whole window, so that one must look as far.
    reach_s = max(2.5 * period_s, window_s + sensor.update_s + period_s)
    near = slice(*np.searchsorted(series.t_s, (x_s - reach_s, x_s + reach_s)))
    watts, stamps_s = series.power_w[near], series.u_s[near]
    swing_w = float(watts.max() - watts.min()) if len(watts) else 0.0
    blur_s = math.sqrt((sensor.update_s**2 + window_s**2 + period_s**2) / 12)
    return 2 * swing_w * math.hypot(blur_s, float(stamps_s.max(initial=0.0)) / math.sqrt(3))


def _aliasing_j(t_s: Float, watts: Float, a_s: float, b_s: float) -> float:
    """Uncertainty from what happened between readings, k = 2.

    Each step between neighbours could have come anywhere in its interval (uniform), independent
    of the others. A course of power in lockstep with the readings is beyond this term: only the
    hard bound holds then, and the audit looks for it.
    """
    share = overlap_s(t_s[:-1], t_s[1:], a_s, b_s)
    return float(2 * np.linalg.norm(np.diff(watts) * share) / math.sqrt(12))


def bound_j(series: Series, sensor: Sensor, a_s: float, b_s: float) -> tuple[float, float] | None:
    """Least and greatest joules that the readings allow, whatever the power did unseen.

    Each averaging window that surely lies within a..b, and surely apart from the others, has a
    known mean; all other time may have any power within range. Where the window is known to a
    range only, its longest decides what is apart and its shortest how much time was seen: a power
    of low..high in place of a known mean can only widen the bound.
    """
    if not math.isfinite(sensor.high_w):
        return None
    window_s = sensor.window_low_s
    chosen = _apart(series, sensor, a_s, b_s) if window_s > 0 else []
    seen_s = window_s * len(chosen)
    seen_j = window_s * float(np.sum(series.power_w[chosen])) if chosen else 0.0
    step_j = sensor.step_w * seen_s
    rest_s = (b_s - a_s) - seen_s
    least = max(0.0, seen_j - step_j) / (1 + sensor.gain) + sensor.low_w * rest_s
    most = sensor.high_w * (b_s - a_s)
    if sensor.gain < 1:
        most = min(most, (seen_j + step_j) / (1 - sensor.gain) + sensor.high_w * rest_s)
    return least, most


def _apart(series: Series, sensor: Sensor, a_s: float, b_s: float) -> list[int]:
    """Readings whose averaging windows lie within a..b and do not overlap.

    Two readings are of different updates if they are one update period apart or differ in value;
    different updates are at least one period apart.
    """
    window_s, update_s = sensor.window_high_s, sensor.update_s
    t_s, u_s, watts = series.t_s, series.u_s, series.power_w
    within = (t_s + u_s <= b_s) & (t_s - u_s - update_s - window_s >= a_s)
    needed_s = update_s if window_s <= update_s else update_s + window_s
    chosen: list[int] = []
    for index in np.flatnonzero(within).tolist():
        if chosen:
            last = chosen[-1]
            spacing_s = t_s[index] - t_s[last] - u_s[index] - u_s[last]
            changed = window_s <= update_s and watts[index] != watts[last]
            if spacing_s < needed_s and not changed:
                continue
        chosen.append(index)
    return chosen
