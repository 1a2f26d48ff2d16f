"""Computes the energy of a run over any interval of its trace: the only place that does.

A counter gives joules by difference, power readings by the area under the line that joins them.
Three figures say how far a result can be trusted: `u_j` (k = 2, about 95 %), the root of the sum
of squares of its terms, of which the gain error (`common_u_j`) is common to all figures of one
sensor and cancels in their ratio, and the rest (`own_u_j`) is not; `bound_j`, which holds for every
course of the power within the sensor's physical range; and `coverage_ratio`, the part of the
interval that lies between valid readings.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from harness.clock import NS_PER_S
from harness.measure import counter, power, window
from harness.measure.limits import limit_power, stands_in
from harness.measure.series import Float, Part, Series, readings_of, uses_counter
from harness.measure.stillness import DeadStretch, dead_stretches
from harness.measure.trace import Trace
from harness.measure.updates import observe_period_s
from harness.measure.window import AveragingWindow
from harness.records import Domain
from harness.records.measure import DomainKind, Method, weakest_method

_COVERAGE_MIN = 0.5
"""Where less of the interval is covered there is no figure at all."""

_SLOWER = 1.5
"""A counter with an update period so many times that of the power is slower."""

_KIND_RANK: dict[DomainKind, int] = {"gpu": 0, "cpu": 0, "dram": 0, "node": 1, "wall": 2}
"""A kind of higher rank contains all kinds of lower rank."""

_ESTIMATES = ("modelled", "declared")


class _Uncertainties:
    """The parts of an expanded uncertainty, k = 2, joules; None where it is unknown."""

    u_j: float | None
    common_u_j: float | None

    @property
    def own_u_j(self) -> float | None:
        """The part that two figures of one sensor do not have in common."""
        if self.u_j is None or self.common_u_j is None:
            return None
        return math.sqrt(max(0.0, self.u_j**2 - self.common_u_j**2))


@dataclass(frozen=True, kw_only=True)
class Energy(_Uncertainties):
    """Energy of one domain in one interval. A missing figure is None, never zero."""

    domain: str
    kind: DomainKind
    method: Method
    simulated: bool
    energy_j: float | None
    u_j: float | None = None
    """Expanded uncertainty, k = 2; None where the gain error of the meter is unknown, or the
    sensor may see a part of the time only."""
    common_u_j: float | None = None
    """The part of it that all figures of one sensor have in common: its gain error."""
    bound_j: tuple[float, float] | None = None
    """Least and greatest joules that the readings allow; None without a known power range."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """Parts of `u_j`, joules at k = 2: gain, quantisation, edges, gaps, aliasing."""
    coverage_ratio: float = 0.0
    gap_max_s: float | None = None
    """Longest time between two readings around the interval."""
    readings_count: int = 0
    reason: str = ""
    """Why there is no figure, or why it is less certain than it could be."""

    def __post_init__(self) -> None:
        if self.bound_j is not None and self.bound_j[0] > self.bound_j[1]:
            raise ValueError(f"'{self.domain}' has bounds whose low end is the higher one")


@dataclass(frozen=True, kw_only=True)
class Total(_Uncertainties):
    """Energy of several domains of which none contains another."""

    energy_j: float | None
    domains: tuple[str, ...]
    """Names of the domains that were added."""
    kinds: tuple[DomainKind, ...]
    method: Method | None
    """The weakest method among the domains."""
    simulated: bool
    u_j: float | None = None
    """From the sums of the domains' common and own parts: meters of one make err in the same way,
    and all domains have one course of power."""
    common_u_j: float | None = None
    """Sum of the domains' gain errors."""
    bound_j: tuple[float, float] | None = None
    reason: str = ""


class IntervalEnergy(NamedTuple):
    """Energy of one interval of a run."""

    domains: Mapping[str, Energy]
    """By the name of the domain."""
    total: Total


class PowerSeries(NamedTuple):
    """Power of one domain over time."""

    domain: str
    t_s: Float
    """Seconds after the run's origin, ascending."""
    power_w: Float
    """Power at these times (power readings), or the mean since the time before (counters)."""


@dataclass(frozen=True, eq=False)
class EnergyCurve:
    """Cumulative energy of one domain; its differences equal `EnergyReader.between`."""

    domain: Domain
    at: Callable[[Float], Float]
    """Joules since the first reading, at times in seconds; carried on beyond the readings."""
    covered_s: Callable[[Float], Float]
    """Seconds between valid readings up to these times."""
    dead: Sequence[DeadStretch] = ()
    """Times in which the sensor did not work."""

    def sum_j(self, intervals_s: Iterable[tuple[float, float]]) -> float | None:
        """Energy of several intervals.

        None where less than half of them is covered, or the sensor was dead in one.
        """
        intervals_s = list(intervals_s)
        if any(item.overlaps(*interval_s) for item in self.dead for interval_s in intervals_s):
            return None
        edges_s = np.array(intervals_s, dtype=np.float64).reshape(-1, 2)
        length_s = float(np.diff(edges_s).sum())
        if float(np.diff(self.covered_s(edges_s)).sum()) < _COVERAGE_MIN * length_s:
            return None
        return float(np.maximum(np.diff(self.at(edges_s)), 0.0).sum())


class EnergyReader:
    """Reads the energy of a run's domains from its trace.

    Wraps of counters are undone; a counter that was reset leaves a gap, which lowers the coverage
    and widens uncertainty and bound; the lag of power sensors is taken off.
    """

    def __init__(self, trace: Trace, domains: Iterable[Domain]) -> None:
        self.trace = trace
        self.domains = {domain.name: limit_power(domain) for domain in domains}
        self._curves: dict[str, EnergyCurve | None] = {}
        self._dead: dict[str, list[DeadStretch]] = {}

    def between(self, start_ns: int, end_ns: int) -> IntervalEnergy:
        """Energy of each domain and of all together between two times of the trace's clock.

        Raises:
            ValueError: the interval is empty or its end lies before its start.
        """
        parts = {name: self.energy(name, start_ns, end_ns) for name in self.domains}
        return IntervalEnergy(parts, total(list(parts.values()), list(self.domains.values())))

    def energy(self, name: str, start_ns: int, end_ns: int) -> Energy:
        """Energy of one domain between two times of the trace's clock.

        Raises:
            ValueError: the interval is empty or its end lies before its start.
        """
        if end_ns <= start_ns:
            raise ValueError(
                f"the interval from {start_ns} to {end_ns} ns is empty; its end must be later"
            )
        domain, series = self.domains[name], self._series(name)
        if not len(series.t_ns):
            return _missing(domain, "there is no reading of this domain")
        edges_s = (start_ns / NS_PER_S, end_ns / NS_PER_S)
        usable = readings_of(series, domain)
        if dead := self.dead_stretches(name, *edges_s):
            return _missing(domain, f"the sensor does not work: {dead[0].reason}")
        if len(usable.t_ns) < 2:  # noqa: PLR2004 - a line needs two points
            return _missing(domain, f"{len(usable.t_ns)} usable readings; at least two are needed")
        if uses_counter(series, domain):
            return _to_energy(counter.measure(usable, domain, *edges_s), domain)
        averaging = self.averaging_window(name)
        return _to_energy(power.measure(usable, domain, *edges_s, averaging), domain)

    def dead_stretches(
        self, name: str, start_s: float = -math.inf, end_s: float = math.inf
    ) -> list[DeadStretch]:
        """Times around an interval in which the sensor of a domain did not work."""
        if name not in self._dead:
            domain, names = self.domains[name], self.domains.keys()
            runs = any(
                self._series(parent).has_energy and not self.dead_stretches(parent)
                for parent in names & set(domain.parents)
            )
            series = self._series(name)
            self._dead[name] = dead_stretches(series, domain, names, counter_runs=runs)
        return [item for item in self._dead[name] if item.overlaps(start_s, end_s)]

    def curve(self, name: str) -> EnergyCurve | None:
        """Cumulative energy of one domain; None with fewer than two usable readings."""
        if name not in self._curves:
            self._curves[name] = self._curve(self.domains[name], self._series(name))
        return self._curves[name]

    def _curve(self, domain: Domain, series: Series) -> EnergyCurve | None:
        usable = readings_of(series, domain)
        if len(usable.t_ns) < 2:  # noqa: PLR2004 - a line needs two points
            return None
        dead = self.dead_stretches(domain.name)
        if uses_counter(series, domain):
            return EnergyCurve(domain, *counter.curve(usable, domain), dead)
        averaging = self.averaging_window(domain.name)
        return EnergyCurve(domain, *power.curve(usable, domain, averaging), dead)

    def power(self, name: str) -> PowerSeries:
        """Power of a domain over time, also of one that the trace alone names.

        Power readings unchanged where there are any; otherwise the mean power of each valid step
        of the counter, so that a reset leaves a gap.
        """
        series = self._series(name)
        readings = series.with_power()
        if len(readings.t_ns) and np.isfinite(readings.power_w).all():
            return PowerSeries(name, readings.t_s, readings.power_w)
        counted = series.with_energy()
        domain = self.domains.get(name) or Domain(
            name=name, kind="node", method="counter", meter="unknown", source="trace"
        )
        steps = counter.unfold(counted, domain)
        t_s, watts = counted.t_s[1:], steps.gained_j / np.diff(counted.t_s)
        return PowerSeries(name, t_s[steps.valid], watts[steps.valid])

    def energy_by_rule(self, name: str, start_s: float, end_s: float, rule: str) -> float | None:
        """Energy of one domain by another integration rule, to test how far the rule matters.

        Args:
            name: the domain.
            start_s: start of the interval, seconds on the trace's clock.
            end_s: its end.
            rule: one of `INTEGRATION_RULES`.

        Returns:
            None where the domain's readings do not allow the rule.
        """
        series, by_power = self._series(name), INTEGRATION_RULES[rule]
        usable = series.with_energy() if by_power is None else series.with_power()
        if len(usable.t_ns) < 2:  # noqa: PLR2004 - a line needs two points
            return None
        if by_power is not None:
            return power.integrate(usable.t_s, usable.power_w, start_s, end_s, by_power)
        if self.domains[name].method == "sampled":
            return None
        total_j = counter.unfold(usable, self.domains[name]).total_j
        last = np.searchsorted(usable.t_s, (start_s, end_s), side="right") - 1
        first, second = total_j[np.clip(last, 0, None)]
        return float(second - first)

    def averaging_window(self, name: str) -> AveragingWindow | None:
        """Averaging window of a power sensor, inferred from an energy counter of the same device.

        None where no such counter was read with it, or where the readings do not show it.
        """
        domain = self.domains[name]
        if domain.method != "sampled" or not domain.update_period_s:
            return None
        for parent in domain.parents:
            counted, update_s = self._series(parent).with_energy(), domain.update_period_s
            if not counted.has_energy:
                continue
            # A counter that is updated less often shows no mean over an update of the power.
            period_s, _ = observe_period_s(counted.t_s, counted.energy_j, update_s)
            if period_s > _SLOWER * update_s:
                return None
            readings = self._series(name).with_power()
            return window.infer_averaging_window(readings, counted, update_s)
        return None

    def _series(self, name: str) -> Series:
        return self.trace.columns.get(name, _NO_READINGS)


_NO_READINGS = Series(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))

INTEGRATION_RULES: dict[str, power.Rule | None] = {
    "power held until the next reading": "hold",
    "power held since the last reading, as MLPerf sums it": "hold-back",
    "power readings joined by lines, no counter": "linear",
    "counters at their last readings, not interpolated": None,
}
"""Other rules for the same readings, by name: how power is summed; None for counters."""


def _missing(domain: Domain, reason: str) -> Energy:
    return Energy(
        domain=domain.name,
        kind=domain.kind,
        method=domain.method,
        simulated=domain.simulated,
        energy_j=None,
        reason=reason,
    )


def _to_energy(part: Part, domain: Domain) -> Energy:
    """The result, without a figure where too little of the interval is covered."""
    enough = part.coverage_ratio >= _COVERAGE_MIN
    reason = part.reason
    if not enough:
        reason = f"only {part.coverage_ratio:.0%} of the window lies between valid readings"
    gain = domain.gain_error_ratio
    terms = dict(part.terms)
    if gain is not None and gain < 1:
        # The sensor shows (1 + e) times the truth, with e between -gain and gain.
        terms["gain"] = gain / (1 - gain) * abs(part.energy_j)
    known = enough and "gain" in terms and not part.unseen
    unknown = part.unseen or "the gain error of this meter is unknown"
    return Energy(
        domain=domain.name,
        kind=domain.kind,
        method=domain.method,
        simulated=domain.simulated,
        energy_j=part.energy_j if enough else None,
        u_j=math.hypot(*terms.values()) if known else None,
        common_u_j=terms["gain"] if known else None,
        bound_j=part.bound_j if enough else None,
        terms=dict(sorted(terms.items())) if enough else {},
        coverage_ratio=part.coverage_ratio,
        gap_max_s=part.gap_max_s,
        readings_count=part.readings_count,
        reason=reason or ("" if known else unknown),
    )


# --- totals ---------------------------------------------------------------------------------------


def contains(outer: Domain, inner: Domain) -> bool:
    """Whether the energy of `inner` is part of that of `outer`.

    By name where the meter declares it, else by kind: a wall meter includes the node, a node all
    of its parts. A measured figure replaces an estimate of the same kind, and an estimate never
    replaces a measurement.
    """
    if outer.name == inner.name or (outer.method in _ESTIMATES and inner.method not in _ESTIMATES):
        return False
    if outer.name in inner.parents or _KIND_RANK[outer.kind] > _KIND_RANK[inner.kind]:
        return True
    replaced = inner.method in _ESTIMATES and outer.method not in _ESTIMATES
    return outer.kind == inner.kind and replaced


def disjoint(domains: Sequence[Domain]) -> tuple[Domain, ...]:
    """The domains that no other one contains, sorted by name."""
    outermost = [inner for inner in domains if not any(contains(outer, inner) for outer in domains)]
    return tuple(sorted(outermost, key=lambda domain: domain.name))


def total(energies: Sequence[Energy], domains: Sequence[Domain]) -> Total:
    """Add the outermost domains; where one of them has no figure there is no total either.

    Where a domain has no figure, another reading of the same silicon takes its place.
    """
    by_name = {energy.domain: energy for energy in energies if energy.energy_j is not None}
    replaced = {
        outer.name
        for outer in domains
        if outer.name not in by_name and any(stands_in(name, outer.name) for name in by_name)
    }
    added = disjoint([domain for domain in domains if domain.name not in replaced])
    parts = [by_name[domain.name] for domain in added if domain.name in by_name]
    missing = [domain.name for domain in added if domain.name not in by_name]
    reason = f"no figure for {', '.join(missing)}" if missing else ""
    complete = bool(added) and not missing
    low_j, high_j = (_sum([part.bound_j and part.bound_j[end] for part in parts]) for end in (0, 1))
    common_j = _sum([part.common_u_j for part in parts]) if complete else None
    own_j = _sum([part.own_u_j for part in parts]) if complete else None
    return Total(
        energy_j=math.fsum(part.energy_j or 0.0 for part in parts) if complete else None,
        domains=tuple(domain.name for domain in added),
        kinds=tuple(sorted({domain.kind for domain in added})),
        method=weakest_method(domain.method for domain in added),
        simulated=any(domain.simulated for domain in added),
        u_j=None if common_j is None or own_j is None else math.hypot(common_j, own_j),
        common_u_j=common_j,
        bound_j=None if low_j is None or high_j is None or not complete else (low_j, high_j),
        reason=reason if added else "no domain was read",
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
