"""Finds the times of a trace in which a sensor stands still or shows what cannot be true."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.measure import counter
from harness.measure.limits import least_power_w
from harness.measure.series import Float, Int, Series, nominal_period_s, readings_of, uses_counter
from harness.records import Domain

_COUNTER_S = 1.0
_COUNTER_UPDATES = 2.5
"""A counter that has not moved for a second and for so many of its updates is dead."""

_POWER_S = 1.5
"""Power that has one value in a trace that is longer is dead."""

_IDLE_S = 2.5
"""A lowest value that lasts until the end of the trace for longer than this is not idle power."""

_CHANCE = 1e-6
"""Power that stands still is dead where the chance of that is less, by how often it changed."""

_CHANGES_RATIO_MIN, _CHANGES_RATIO_MAX = 0.6, 0.95
"""A sensor with noise changes at most of its updates; one that did so and stands still is dead."""

_OTHER_UPDATES = 5
"""So many updates without a change are assumed besides those that were read."""

_COUNTER_READINGS = 5
_POWER_READINGS = 3
"""Fewer readings prove nothing."""

_PIECE_S = 1.0
"""Time over which power is compared with the least power of a domain."""


@dataclass(frozen=True)
class DeadStretch:
    """A time in which a sensor did not work, seconds on the trace's clock."""

    begin_s: float
    end_s: float
    reason: str
    rule: Literal["sensor-dead", "sensor-implausible"] = "sensor-dead"
    """The finding that it raises."""

    def overlaps(self, a_s: float, b_s: float) -> bool:
        """Whether it has a part in the window from a to b."""
        return self.begin_s < b_s and self.end_s > a_s


def dead_stretches(
    series: Series, domain: Domain, names: Collection[str] = (), *, counter_runs: bool
) -> list[DeadStretch]:
    """The times of a trace in which a domain's sensor was dead or showed an impossible power.

    A counter always moves while its device is on: one that stands still is dead then. Power may
    stand still for a while. It is dead where it has one value in the whole trace, which begins
    before the work does and ends after it, or one for so long that its earlier changes contradict
    it; the lowest value may be that of an idle device.

    Args:
        series: its readings.
        domain: the domain; estimates are not judged.
        names: names of all domains of the run.
        counter_runs: whether a counter of the same device was read with a power sensor, so that
            a steady power is only the power of an idle device.
    """
    if domain.method in ("modelled", "declared"):
        return []
    usable, counts = readings_of(series, domain), uses_counter(series, domain)
    if not len(usable.t_ns):
        return list(_impossible(series.with_power(), domain))
    if len(usable.t_ns) < (_COUNTER_READINGS if counts else _POWER_READINGS):
        return []
    if counts:
        stretches = list(_still_counter(usable, domain))
    else:
        stretches = [] if counter_runs else list(_still_power(usable, domain))
    return stretches or list(_too_low(usable, domain, least_power_w(domain, names)))


def _impossible(readings: Series, domain: Domain) -> Iterator[DeadStretch]:
    """The whole trace where no reading can be true."""
    if not len(readings.t_ns):
        return
    low_w, high_w = float(readings.power_w.min()), float(readings.power_w.max())
    shown = f"{low_w:.10g} W" if low_w == high_w else f"{low_w:.4g} to {high_w:.4g} W"
    limit = "" if domain.power_high_w is None else f" from a device of {domain.power_high_w:g} W"
    begin_s, end_s = float(readings.t_s[0]), float(readings.t_s[-1])
    yield DeadStretch(begin_s, end_s, f"it showed {shown}{limit}", "sensor-implausible")


def _equal_values(values: Float) -> tuple[Int, Int]:
    """First and last index of each run of equal values."""
    changed = np.flatnonzero(np.diff(values) != 0) + 1
    return np.concatenate(([0], changed)), np.concatenate((changed, [len(values)])) - 1


def _still_counter(usable: Series, domain: Domain) -> Iterator[DeadStretch]:
    t_s = usable.t_s
    first, last = _equal_values(usable.energy_j)
    # Steps between changes: a hypervisor may refresh the counter more slowly than it states.
    steps_s = np.diff(t_s[first[1:]])
    observed_s = float(np.median(steps_s)) if len(steps_s) >= _COUNTER_READINGS else 0.0
    update_s = max(observed_s, domain.update_period_s or 0.0)
    # One that has not moved at all has shown nothing, however slow it is.
    limit_s = max(_COUNTER_S, _COUNTER_UPDATES * update_s if len(first) > 1 else 0.0)
    long = (t_s[last] - t_s[first] > limit_s) & (last - first + 1 >= _COUNTER_READINGS)
    for begin, end in zip(first[long], last[long], strict=True):
        value, begin_s, end_s = usable.energy_j[begin], float(t_s[begin]), float(t_s[end])
        reason = f"its counter stayed at {value:.10g} J for {end_s - begin_s:.1f} s"
        yield DeadStretch(begin_s, end_s, reason)


def _still_power(usable: Series, domain: Domain) -> Iterator[DeadStretch]:
    t_s, watts = usable.t_s, usable.power_w
    first, last = _equal_values(watts)
    length_s, lengths_s = float(t_s[-1] - t_s[0]), t_s[last] - t_s[first]
    update_s = max(domain.update_period_s or 0.0, nominal_period_s(t_s))
    if len(first) == 1:
        long = lengths_s >= _POWER_S
    else:
        # How often the value changed at other times: the ends of the stretch prove nothing.
        ratio = (len(first) - 3) / (_OTHER_UPDATES + (length_s - lengths_s) / update_s)
        unchanged = np.minimum(lengths_s / update_s, last - first)
        chance = (1 - np.clip(ratio, 0.0, _CHANGES_RATIO_MAX)) ** unchanged
        noisy = (ratio >= _CHANGES_RATIO_MIN) & (chance < _CHANCE) & (lengths_s > _COUNTER_S)
        lasting = (last == len(t_s) - 1) & (lengths_s > _IDLE_S)
        long = noisy & ((watts[first] > watts.min()) | lasting)
    for begin, end in zip(first[long], last[long], strict=True):
        begin_s, end_s = float(t_s[begin]), float(t_s[end])
        reason = f"it showed {watts[begin]:.10g} W in {end - begin + 1} readings"
        yield DeadStretch(begin_s, end_s, f"{reason} ({end_s - begin_s:.1f} s)")


def _too_low(usable: Series, domain: Domain, least_w: float) -> Iterator[DeadStretch]:
    """The whole trace where the power never reaches what such a device uses."""
    t_s = usable.t_s
    if not uses_counter(usable, domain):
        most_w = float(usable.power_w.max())
    else:
        pieces = max(1, int((t_s[-1] - t_s[0]) / _PIECE_S))
        edges_s = np.linspace(t_s[0], t_s[-1], pieces + 1)
        total_j = np.interp(edges_s, t_s, counter.unfold(usable, domain).total_j)
        most_w = float((np.diff(total_j) / np.diff(edges_s)).max())
    if most_w < least_w:
        what = f"no more than {most_w:.3g} W in use, where such a device uses {least_w:g} W or more"
        yield DeadStretch(float(t_s[0]), float(t_s[-1]), f"it shows {what}", "sensor-implausible")
