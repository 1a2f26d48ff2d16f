"""Reads a trace and tells the joules of any window, each with its uncertainty and a hard bound.

A counter gives joules by difference, power readings by the area under the line that joins them.
Three figures say how far to trust a result: `u_j` (k = 2, about 95 %), made of terms that are
listed one by one; `bound_j`, which holds for every course of the power that the sensor's physical
range allows; and `coverage_ratio`, the part of the window that lies between valid readings.
"""

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_S
from harness.measure import counter, power, window
from harness.measure.columns import columns
from harness.measure.series import Part, Series
from harness.measure.window import Window
from harness.records import Domain
from harness.records.measure import DomainKind, Method

HEADER = b"t_ns,domain,energy_j,power_w,u_ns"

_LEAST_COVERAGE = 0.5
"""Where less of the window is covered there is no figure at all."""

_METHOD_ORDER: tuple[Method, ...] = ("modelled", "declared", "sampled", "counter")
"""From worst to best."""

_KIND_RANK: dict[DomainKind, int] = {"gpu": 0, "cpu": 0, "dram": 0, "node": 1, "wall": 2}
"""A kind of higher rank contains all of lower rank."""


class TraceError(ValueError):
    """A file that is no trace; the message names file and fault."""


@dataclass(frozen=True)
class Trace:
    """Readings by domain, in the order of the file."""

    columns: Mapping[str, Series]
    torn: bool = False
    """Whether the last line was cut off, as a killed sampler leaves it."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Joules of one domain in one window. Missing is None, never zero."""

    domain: str
    kind: DomainKind
    method: Method
    simulated: bool
    energy_j: float | None
    u_j: float | None = None
    """Expanded uncertainty, k = 2; None where the class of the meter is unknown."""
    bound_j: tuple[float, float] | None = None
    """Least and greatest joules that the readings allow; None without a known power range."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """Parts of `u_j`, joules at k = 2: gain, quantisation, edges, gaps, aliasing."""
    coverage_ratio: float = 0.0
    gap_max_s: float | None = None
    """Largest time between two readings around the window."""
    readings_count: int = 0
    reason: str = ""
    """Why there is no figure, or why it is less than it could be."""


@dataclass(frozen=True, kw_only=True)
class Total:
    """Joules of several domains of which none contains another."""

    energy_j: float | None
    domains: tuple[str, ...]
    """What was added up."""
    kinds: tuple[DomainKind, ...]
    method: Method | None
    """The worst among the parts."""
    simulated: bool
    u_j: float | None = None
    """Sum of the parts' uncertainties: meters of one make err the same way."""
    bound_j: tuple[float, float] | None = None
    reason: str = ""


# --- reading --------------------------------------------------------------------------------------


def read_trace(path: Path) -> Trace:
    """Read `trace.csv` or `trace.csv.gz`.

    Raises:
        TraceError: it is no trace; a last line without its end is dropped and noted.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"{path}: cannot be read as a trace: {error}") from error
    return parse_trace(data, str(path))


def parse_trace(data: bytes, where: str = "trace") -> Trace:
    """Parse the text of a trace.

    Raises:
        TraceError: the header or a row is not as it must be.
    """
    head, _, body = data.partition(b"\n")
    if head.strip() != HEADER:
        raise TraceError(f"{where}: the first line is not '{HEADER.decode()}'")
    whole, end, rest = body.rpartition(b"\n")
    try:
        return Trace(columns(whole + end) if whole else {}, torn=bool(rest))
    except ValueError as error:
        raise TraceError(f"{where}: {error}") from error


# --- joules of one domain -------------------------------------------------------------------------


def energy(trace: Trace, domain: Domain, start_ns: int, end_ns: int) -> Energy:
    """Joules of one domain between two stamps of the trace's clock.

    Raises:
        ValueError: the window is empty or runs backwards.
    """
    if end_ns <= start_ns:
        raise ValueError(
            f"the window from {start_ns} to {end_ns} ns is empty; give its end after its begin"
        )
    series = trace.columns.get(domain.name)
    if series is None or not len(series.t_ns):
        return _missing(domain, "there is no reading of this domain")
    uses_counter = domain.method != "sampled" and series.has_energy
    usable = series.with_energy() if uses_counter else series.with_power()
    if len(usable.t_ns) < 2:  # noqa: PLR2004 - a line needs two points
        return _missing(domain, f"{len(usable.t_ns)} usable readings; at least two are needed")
    edges_s = (start_ns / NS_PER_S, end_ns / NS_PER_S)
    if uses_counter:
        return _told(counter.measure(usable, domain, *edges_s), domain)
    return _told(power.measure(usable, domain, *edges_s, window_of(trace, domain)), domain)


def window_of(trace: Trace, domain: Domain) -> Window | None:
    """Averaging window of a power sensor as its readings beside a counter of its device show it.

    None where no such counter was read with it, or where the readings do not tell.
    """
    if domain.method != "sampled" or not domain.update_period_s or domain.name not in trace.columns:
        return None
    for name in domain.parents:
        beside = trace.columns.get(name)
        if beside is not None and beside.has_energy:
            readings = trace.columns[domain.name].with_power()
            return window.seen(readings, beside.with_energy(), domain.update_period_s)
    return None


def _missing(domain: Domain, reason: str) -> Energy:
    return Energy(
        domain=domain.name,
        kind=domain.kind,
        method=domain.method,
        simulated=domain.simulated,
        energy_j=None,
        reason=reason,
    )


def _told(part: Part, domain: Domain) -> Energy:
    """The result, without a figure where too little of the window was seen."""
    enough = part.coverage_ratio >= _LEAST_COVERAGE
    reason = part.reason
    if not enough:
        reason = f"only {part.coverage_ratio:.0%} of the window lies between valid readings"
    gain = domain.gain_error_ratio
    terms = dict(part.terms) | ({} if gain is None else {"gain": gain * abs(part.energy_j)})
    known = enough and gain is not None
    return Energy(
        domain=domain.name,
        kind=domain.kind,
        method=domain.method,
        simulated=domain.simulated,
        energy_j=part.energy_j if enough else None,
        u_j=math.hypot(*terms.values()) if known else None,
        bound_j=part.bound_j if enough else None,
        terms=dict(sorted(terms.items())) if enough else {},
        coverage_ratio=part.coverage_ratio,
        gap_max_s=part.gap_max_s,
        readings_count=part.readings_count,
        reason=reason or ("" if known else "the gain error of this meter is unknown"),
    )


# --- totals ---------------------------------------------------------------------------------------


def contains(outer: Domain, inner: Domain) -> bool:
    """Whether the joules of `inner` are among those of `outer`.

    By name where the meter said so, else by kind: a wall meter sees the node, a node all of its
    parts. A measured figure stands in for an estimate of the same kind, and an estimate never
    hides a measurement.
    """
    if outer.name == inner.name:
        return False
    guessed = ("modelled", "declared")
    if outer.method in guessed and inner.method not in guessed:
        return False
    if outer.name in inner.parents or _KIND_RANK[outer.kind] > _KIND_RANK[inner.kind]:
        return True
    return outer.kind == inner.kind and inner.method in guessed and outer.method not in guessed


def disjoint(domains: Sequence[Domain]) -> tuple[Domain, ...]:
    """The domains that no other one contains, by name."""
    outermost = [inner for inner in domains if not any(contains(outer, inner) for outer in domains)]
    return tuple(sorted(outermost, key=lambda domain: domain.name))


def total(energies: Sequence[Energy], domains: Sequence[Domain]) -> Total:
    """Add up the outermost domains; where one of them has no figure there is no total either."""
    by_name = {energy.domain: energy for energy in energies}
    parts = [(item, by_name.get(item.name)) for item in disjoint(domains)]
    named = tuple(domain.name for domain, _ in parts)
    there = [part for _, part in parts if part is not None and part.energy_j is not None]
    method = min((domain.method for domain, _ in parts), key=_METHOD_ORDER.index, default=None)
    lacking = [domain.name for domain, part in parts if part is None or part.energy_j is None]
    reason = f"no figure for {', '.join(lacking)}" if lacking else ""
    if not parts:
        reason = "no domain was read"
    whole = bool(parts) and not lacking
    return Total(
        energy_j=math.fsum(part.energy_j or 0.0 for part in there) if whole else None,
        domains=named,
        kinds=tuple(sorted({domain.kind for domain, _ in parts})),
        method=method,
        simulated=any(domain.simulated for domain, _ in parts),
        u_j=_sum_u(there) if whole else None,
        bound_j=_sum_bounds(there) if whole else None,
        reason=reason,
    )


def _sum_u(parts: Sequence[Energy]) -> float | None:
    values = [part.u_j for part in parts if part.u_j is not None]
    return math.fsum(values) if len(values) == len(parts) else None


def _sum_bounds(parts: Sequence[Energy]) -> tuple[float, float] | None:
    values = [part.bound_j for part in parts if part.bound_j is not None]
    if len(values) < len(parts):
        return None
    return math.fsum(low for low, _ in values), math.fsum(high for _, high in values)
