"""The power of a run over time, from its raw trace: mean power of each interval of a grid."""

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from harness.bundle import Bundle
from harness.records import Domain

Points = list[tuple[int, float]]
"""Nanoseconds after the origin, and joules since some moment."""


def _field(text: str) -> float | None:
    return float(text) if text else None


def _rows(text: str) -> dict[str, list[tuple[int, float | None, float | None]]]:
    """Time, counter and power of each domain, in order."""
    found: dict[str, list[tuple[int, float | None, float | None]]] = defaultdict(list)
    for row in csv.DictReader(text.splitlines()):
        at = (int(row["t_ns"]), _field(row["energy_j"]), _field(row["power_w"]))
        found[row["domain"]].append(at)
    return found


def _step(
    a: tuple[int, float | None, float | None],
    b: tuple[int, float | None, float | None],
    wrap_j: float | None,
) -> float:
    """Joules between two readings; a counter that fell has wrapped, or says nothing here."""
    if a[1] is not None and b[1] is not None:
        gained = b[1] - a[1]
        return gained if gained >= 0 else max(0.0, gained + (wrap_j or 0.0))
    mean_w = ((a[2] or 0.0) + (b[2] or 0.0)) / 2
    return mean_w * (b[0] - a[0]) / 1e9


def _cumulated(
    rows: Sequence[tuple[int, float | None, float | None]], wrap_j: float | None
) -> Points:
    total = 0.0
    points = [(rows[0][0], 0.0)] if rows else []
    for a, b in pairwise(rows):
        total += _step(a, b, wrap_j)
        points.append((b[0], total))
    return points


def _at(points: Points, t_ns: float) -> float:
    after = bisect_right(points, t_ns, key=lambda point: point[0])
    if after in (0, len(points)):
        return points[min(after, len(points) - 1)][1]
    (t0, e0), (t1, e1) = points[after - 1], points[after]
    return e0 + (e1 - e0) * (t_ns - t0) / (t1 - t0)


def shape_w(bundle: Bundle, names: Sequence[str], edges_ns: Sequence[float]) -> list[float]:
    """Mean power of some domains together between successive edges, unscaled, in watts.

    Constant where the trace says nothing: whoever uses the shape scales it to joules that were
    computed elsewhere.

    Args:
        bundle: The run.
        names: Disjoint domains.
        edges_ns: Nanoseconds after the run's origin, rising.

    Raises:
        BundleError: the trace cannot be read.
    """
    text = (bundle.trace_text() or b"").decode("utf-8", "replace")
    domains: Mapping[str, Domain] = {domain.name: domain for domain in bundle.run.domains}
    rows = _rows(text)
    curves = [
        _cumulated(rows[name], domains[name].wrap_j)
        for name in names
        if name in rows and name in domains
    ]
    energy = [sum(_at(points, edge) for points in curves if points) for edge in edges_ns]
    powers = [
        max(0.0, e1 - e0) / (t1 - t0) * 1e9
        for (t0, e0), (t1, e1) in pairwise(zip(edges_ns, energy, strict=True))
    ]
    return powers if sum(powers) > 0 else [1.0] * len(powers)
