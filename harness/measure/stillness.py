"""Finds the times in which a sensor shows the same value although its device is in use."""

from dataclasses import dataclass

import numpy as np

from harness.measure.liveness import is_sentinel
from harness.measure.series import Series, readings_of, uses_counter
from harness.records import Domain

_COUNTER_S = 1.0
_COUNTER_UPDATES = 5.0
"""A counter that has not moved for a second and for five of its updates is dead."""

_POWER_S = 1.5
_POWER_UPDATES = 15.0
_READINGS = 5
_POWER_READINGS = 10
"""A stretch of fewer readings proves nothing."""


@dataclass(frozen=True)
class DeadStretch:
    """A time in which a sensor did not work, seconds on the trace's clock."""

    begin_s: float
    end_s: float
    reason: str

    def overlaps(self, a_s: float, b_s: float) -> bool:
        """Whether it has a part in the window from a to b."""
        return self.begin_s < b_s and self.end_s > a_s


def dead_stretches(series: Series, domain: Domain, *, counter_runs: bool) -> list[DeadStretch]:
    """The times of a trace in which a domain's sensor was dead.

    A counter always moves while its device is on: one that stands still is dead then. Power may
    stand still for a while; it is dead where it is 0 or a sentinel, or has one value in the whole
    trace, which begins before the work does.

    Args:
        series: its readings.
        domain: the domain; estimates are not judged.
        counter_runs: whether a counter of the same device was read with a power sensor, so that
            a steady power is only the power of an idle device.
    """
    usable = readings_of(series, domain)
    if domain.method in ("modelled", "declared") or len(usable.t_ns) < _READINGS:
        return []
    if uses_counter(series, domain):
        return _still_counter(usable, domain)
    return _still_power(usable, domain, counter_runs=counter_runs)


def _still_counter(usable: Series, domain: Domain) -> list[DeadStretch]:
    t_s = usable.t_s
    changed = np.flatnonzero(np.diff(usable.energy_j) != 0) + 1
    # Steps between changes: a hypervisor may refresh the counter more slowly than it states.
    observed_s = float(np.median(np.diff(t_s[changed]))) if len(changed) > _READINGS else 0.0
    update_s = max(observed_s, domain.update_period_s or 0.0)
    limit_s = max(_COUNTER_S, _COUNTER_UPDATES * update_s)
    first = np.concatenate(([0], changed))
    last = np.concatenate((changed, [len(t_s)])) - 1
    long = (t_s[last] - t_s[first] > limit_s) & (last - first + 1 >= _READINGS)
    return [
        DeadStretch(
            float(t_s[begin]),
            float(t_s[end]),
            f"its counter stayed at {usable.energy_j[begin]:.10g} J "
            f"for {t_s[end] - t_s[begin]:.1f} s",
        )
        for begin, end in zip(first[long], last[long], strict=True)
    ]


def _still_power(usable: Series, domain: Domain, *, counter_runs: bool) -> list[DeadStretch]:
    t_s, watts = usable.t_s, float(usable.power_w[0])
    if (usable.power_w != watts).any():
        return []
    length_s = float(t_s[-1] - t_s[0])
    limit_s = max(_POWER_S, _POWER_UPDATES * (domain.update_period_s or 0.0))
    steady = length_s > limit_s and len(t_s) >= _POWER_READINGS and not counter_runs
    if watts > 0 and not is_sentinel(watts) and not steady:
        return []
    reason = f"it showed {watts:.10g} W in all of its {len(t_s)} readings ({length_s:.1f} s)"
    return [DeadStretch(float(t_s[0]), float(t_s[-1]), reason)]
