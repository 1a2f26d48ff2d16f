"""Readings of one domain as columns, and what counters and power readings compute alike."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.clock import NS_PER_S
from harness.measure.limits import SENTINELS, is_part, is_possible
from harness.records import Domain

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Series:
    """Readings of one domain; NaN where a field was empty. Derived columns are computed once."""

    t_ns: Int
    energy_j: Float
    power_w: Float
    u_ns: Float

    def at(self, rows: Int) -> "Series":
        """The readings in the given rows."""
        return Series(self.t_ns[rows], self.energy_j[rows], self.power_w[rows], self.u_ns[rows])

    @cached_property
    def t_s(self) -> Float:
        """Times in seconds."""
        return self.t_ns / NS_PER_S

    @cached_property
    def u_s(self) -> Float:
        """Half of the duration of each read, seconds."""
        return self.u_ns / NS_PER_S

    @cached_property
    def has_energy(self) -> bool:
        """Whether any reading has a counter value."""
        return bool(np.isfinite(self.energy_j).any())

    def with_energy(self) -> "Series":
        """Readings with a counter value, in the order of time, one for each time."""
        return self._sorted_energy or self

    @cached_property
    def _sorted_energy(self) -> "Series | None":
        return self._sorted(np.isfinite(self.energy_j))

    def with_power(self) -> "Series":
        """Readings with power, in the order of time, one for each time."""
        return self._sorted(np.isfinite(self.power_w)) or self

    def _sorted(self, usable: Bool) -> "Series | None":
        """None where nothing changes: a series that held itself would never be freed."""
        if usable.all() and (self.t_ns[1:] > self.t_ns[:-1]).all():
            return None
        kept = np.flatnonzero(usable)
        kept = kept[np.argsort(self.t_ns[kept], kind="stable")]
        stamps = self.t_ns[kept]
        last = np.append(stamps[1:] != stamps[:-1], True) if len(kept) else np.zeros(0, bool)
        return self.at(kept[last])


def uses_counter(series: Series, domain: Domain) -> bool:
    """Whether a domain's energy comes from its counter and not from its power readings."""
    return domain.method != "sampled" and series.has_energy


def readings_of(series: Series, domain: Domain) -> Series:
    """The readings that a domain's energy comes from, in the order of time, one for each time.

    Power readings that cannot be true are left out, as impossible steps of a counter are.
    """
    if uses_counter(series, domain):
        return series.with_energy()
    readings = series.with_power()
    if domain.method in ("modelled", "declared"):
        return readings
    watts = readings.power_w
    may_be_off = is_part(domain, domain.parents) or domain.simulated
    high_w = domain.power_high_w
    doubtful = (watts <= 0) | (watts >= min(SENTINELS)) | (watts > (high_w or math.inf))
    values = set(watts[doubtful].tolist())
    impossible = [
        value for value in values if not is_possible(value, domain, may_be_off=may_be_off)
    ]
    return readings.at(np.flatnonzero(~np.isin(watts, impossible))) if impossible else readings


@dataclass(frozen=True)
class Part:
    """Energy of an interval by one kind of reading."""

    energy_j: float
    bound_j: tuple[float, float] | None
    terms: Mapping[str, float]
    """Uncertainty at k = 2, without that of the gain, joules."""
    coverage_ratio: float
    gap_max_s: float
    readings_count: int
    reason: str = ""
    unseen: str = ""
    """Why there is no uncertainty although the gain error is known."""


def running_sum(steps: Float) -> Float:
    """Sum of the steps before each point, starting with 0."""
    sums = np.zeros(len(steps) + 1)
    np.cumsum(steps, out=sums[1:])
    return sums


def overlap_s(begin_s: Float, end_s: Float, a_s: float, b_s: float) -> Float:
    """How much of each interval lies in the window from a to b."""
    both = np.minimum(end_s, b_s) - np.maximum(begin_s, a_s)
    return np.asarray(np.maximum(both, 0.0), dtype=np.float64)


def around(t_s: Float, a_s: float, b_s: float) -> slice:
    """Readings of the window with the one before it and the one after it."""
    first = max(0, int(t_s.searchsorted(a_s, side="right")) - 1)
    last = min(len(t_s), int(t_s.searchsorted(b_s, side="left")) + 1)
    return slice(first, max(last, first + 1))


def gap_max_s(t_s: Float, a_s: float, b_s: float) -> float:
    """Longest time between readings around the window, or without readings at one of its ends."""
    inside = t_s[around(t_s, a_s, b_s)]
    steps = inside[1:] - inside[:-1]
    ends = (max(0.0, float(t_s[0]) - a_s), max(0.0, b_s - float(t_s[-1])))
    return max(float(steps.max()) if len(steps) else 0.0, *ends)


def nominal_period_s(t_s: Float, update_s: float = 0.0) -> float:
    """Usual time between two readings: the median step.

    Steps shorter than half an update do not count: after a mark a slow counter is read more often.
    """
    steps = np.diff(t_s)
    usual = steps[steps >= update_s / 2]
    return float(np.median(usual if len(usual) else steps))


def distinct_count(t_s: Float, a_s: float, b_s: float, update_s: float) -> int:
    """Readings between a and b; of several within half an update of the sensor one counts.

    Args:
        t_s: times of the readings, ascending.
        a_s: start of the window.
        b_s: its end.
        update_s: the sensor's update period; 0 where it does not lag.
    """
    inside = t_s[t_s.searchsorted(a_s, side="left") : t_s.searchsorted(b_s, side="right")]
    if update_s <= 0 or not len(inside):
        return len(inside)
    halves = np.floor(inside / (update_s / 2))
    return 1 + int(np.count_nonzero(halves[1:] != halves[:-1]))
