"""Energy from power readings: the area under them, and how wrong it can be.

A sensor that is read at time s shows the mean power of its averaging window, which ended at the
sensor's last update, at most one update period before s. Where the window is shorter than the
period (25 of 100 ms on A100 and H100) the power in between is never measured, and readings that
agree prove nothing: pulses that are synchronized with the updates look like steady power. Such a
sensor, and one of unknown window, has a hard bound and no `u_j`.
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
from harness.measure.updates import observe_period_s
from harness.measure.window import AveragingWindow
from harness.records import Domain

Rule = Literal["linear", "hold", "hold-back"]
"""How power readings are summed; see `integrate`."""

_PERIODS_BRIDGED = 2.0
"""Two readings further apart than this many periods leave a gap."""

_SEEN_MIN = 0.9
"""Least part of its update period that a sensor must average over for an uncertainty."""

_HIDDEN_SWING = 0.25
"""Least swing of the power within a window, as a part of its mean: pulses shorter than the window
are not seen (docs/meters.md shows what that covers)."""

_UNSEEN = "the sensor may see a part of the time only, so that there is a bound alone"

_DISTINCT = 0.5
"""Readings closer together than this part of an update period count as one."""


@dataclass(frozen=True)
class PowerProperties:
    """The power sensor as its domain describes it."""

    update_s: float
    read_s: float
    """Requested time between two readings; 0 where unknown."""
    window_s: float | None
    """Averaging window; None where unknown."""
    window_low_s: float
    window_high_s: float
    """Range of the window, where it was not measured or the readings contradict it."""
    step_w: float
    low_w: float
    high_w: float
    """Infinite where unknown."""
    gain: float
    estimate: bool

    @classmethod
    def of(
        cls, domain: Domain, series: Series, inferred: AveragingWindow | None = None
    ) -> "PowerProperties":
        """From the domain; an unknown step is the least change among the readings.

        A stated window that the readings contradict is replaced by the inferred one; the range
        that the hard bound uses is only widened.
        """
        steps = np.abs(np.diff(series.power_w))
        least_w = float(steps[steps > 0].min()) if (steps > 0).any() else 0.0
        stated_s = domain.averaging_window_s
        low_s, high_s = domain.averaging_window_low_s or stated_s or 0.0, stated_s or 0.0
        window_s = stated_s
        if inferred is not None and stated_s is not None and inferred.contradicts(stated_s):
            window_s = inferred.best_s
            low_s, high_s = min(low_s, inferred.low_s), max(high_s, inferred.high_s)
        stated_update_s = domain.update_period_s or 0.0
        return cls(
            update_s=observe_period_s(series.t_s, series.power_w, stated_update_s, steady=True)[0],
            read_s=domain.read_period_s or 0.0,
            window_s=window_s,
            window_low_s=low_s,
            window_high_s=high_s,
            step_w=domain.resolution_w if domain.resolution_w is not None else least_w,
            low_w=domain.power_low_w or 0.0,
            high_w=math.inf if domain.power_high_w is None else domain.power_high_w,
            gain=domain.gain_error_ratio or 0.0,
            estimate=domain.method in ("modelled", "declared"),
        )

    @property
    def sees_everything(self) -> bool:
        """Whether the windows of successive updates leave out next to nothing."""
        return self.estimate or self.window_low_s >= max(_SEEN_MIN * self.update_s, 1e-9)

    @property
    def lag_s(self) -> float:
        """Mean age of a reading: half an update period and half a window."""
        return (self.update_s + (self.window_s or 0.0)) / 2


def measure(
    series: Series, domain: Domain, a_s: float, b_s: float, inferred: AveragingWindow | None = None
) -> Part:
    """Energy between a and b with uncertainty terms, bound and coverage."""
    sensor = PowerProperties.of(domain, series, inferred)
    t_s = series.t_s
    thin = decimate(series, sensor.update_s)
    period_s = _period_s(series, sensor)
    unread_s = _unread_s(t_s, a_s, b_s, _PERIODS_BRIDGED * period_s)
    edges = (_edge_u_j(series, sensor, x_s, period_s) for x_s in (a_s, b_s))
    return Part(
        energy_j=integrate(thin.t_s - sensor.lag_s, thin.power_w, a_s, b_s),
        bound_j=bound_j(series, sensor, a_s, b_s),
        terms={
            "quantisation": 2 * sensor.step_w / math.sqrt(12) * (b_s - a_s),
            "edges": math.hypot(*edges),
            "gaps": unread_s * _half_range_w(series.power_w, sensor),
            "aliasing": _aliasing_j(thin.t_s, thin.power_w, a_s, b_s),
        },
        coverage_ratio=max(0.0, 1 - unread_s / (b_s - a_s)),
        gap_max_s=gap_max_s(t_s, a_s, b_s),
        readings_count=distinct_count(t_s, a_s, b_s, sensor.update_s),
        reason="readings are missing within the window" if unread_s > 0 else "",
        unseen="" if sensor.sees_everything else _UNSEEN,
    )


def decimate(series: Series, update_s: float) -> Series:
    """Readings at least half an update apart, since more frequent ones add no information.

    `PowerProperties.lag_s` assumes that the age of a reading is uniform over one update; and a
    change between two readings a few milliseconds apart would seem to have happened just there.
    """
    least_s, t_s = _DISTINCT * update_s, series.t_s
    if len(t_s) < 2 or float(np.diff(t_s).min()) >= least_s:  # noqa: PLR2004 - a step needs two readings
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
    series: Series, domain: Domain, inferred: AveragingWindow | None = None
) -> tuple[Callable[[Float], Float], Callable[[Float], Float]]:
    """Functions of time for `EnergyCurve`: joules since the first reading, and covered seconds."""
    sensor = PowerProperties.of(domain, series, inferred)
    thin = decimate(series, sensor.update_s)
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


def _period_s(series: Series, sensor: PowerProperties) -> float:
    """Longest of the usual time between readings, the update period and the read period."""
    return max(nominal_period_s(series.t_s, sensor.update_s), sensor.update_s, sensor.read_s)


def _unread_s(t_s: Float, a_s: float, b_s: float, limit_s: float) -> float:
    """Time of the window in gaps longer than the limit and outside of the readings."""
    steps = np.diff(t_s)
    lost = overlap_s(t_s[:-1], t_s[1:], a_s, b_s)[steps > limit_s].sum()
    before, after = max(0.0, min(b_s, t_s[0]) - a_s), max(0.0, b_s - max(a_s, t_s[-1]))
    return float(lost + before + after)


def _half_range_w(watts: Float, sensor: PowerProperties) -> float:
    if math.isfinite(sensor.high_w):
        return (sensor.high_w - sensor.low_w) / 2
    return float(watts.max())


def _edge_u_j(series: Series, sensor: PowerProperties, x_s: float, period_s: float) -> float:
    """Uncertainty from not knowing exactly when the power changed near an edge, k = 2."""
    window_s = sensor.window_high_s
    # A long average spreads a change over its whole window, so that the search goes as far.
    reach_s = max(2.5 * period_s, window_s + sensor.update_s + period_s)
    near = slice(*np.searchsorted(series.t_s, (x_s - reach_s, x_s + reach_s)))
    watts, stamps_s = series.power_w[near], series.u_s[near]
    swing_w = 0.0
    if len(watts):
        swing_w = max(float(watts.max() - watts.min()), _HIDDEN_SWING * float(watts.mean()))
    blur_s = math.sqrt((sensor.update_s**2 + window_s**2 + period_s**2) / 12)
    return 2 * swing_w * math.hypot(blur_s, float(stamps_s.max(initial=0.0)) / math.sqrt(3))


def _aliasing_j(t_s: Float, watts: Float, a_s: float, b_s: float) -> float:
    """Uncertainty from what happened between readings, k = 2.

    Each step between neighbours can have happened anywhere in its interval (uniform), independent
    of the others. Power that is synchronized with the readings is beyond this term: only the hard
    bound holds then, and the audit checks for it.
    """
    share = overlap_s(t_s[:-1], t_s[1:], a_s, b_s)
    return float(2 * np.linalg.norm(np.diff(watts) * share) / math.sqrt(12))


def bound_j(
    series: Series, sensor: PowerProperties, a_s: float, b_s: float
) -> tuple[float, float] | None:
    """Least and greatest energy that the readings allow, whatever the power did between them.

    Each averaging window that certainly lies within a..b, without overlap with the others, has a
    known mean; all other time may have any power within range. Where the window is only known to a
    range, its longest value decides what overlaps and its shortest how much time is known: a power
    of low..high in place of a known mean can only widen the bound.
    """
    if not math.isfinite(sensor.high_w):
        return None
    window_s = sensor.window_low_s
    chosen = _independent(series, sensor, a_s, b_s) if window_s > 0 else []
    known_s = window_s * len(chosen)
    known_j = window_s * float(np.sum(series.power_w[chosen])) if chosen else 0.0
    step_j = sensor.step_w * known_s
    rest_s = (b_s - a_s) - known_s
    least = max(0.0, known_j - step_j) / (1 + sensor.gain) + sensor.low_w * rest_s
    most = sensor.high_w * (b_s - a_s)
    if sensor.gain < 1:
        most = min(most, (known_j + step_j) / (1 - sensor.gain) + sensor.high_w * rest_s)
    return min(least, most), max(least, most)


def _independent(series: Series, sensor: PowerProperties, a_s: float, b_s: float) -> list[int]:
    """Readings whose averaging windows lie within a..b and do not overlap.

    Two readings belong to different updates if they are one update period apart or differ in
    value; different updates are at least one period apart.
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
