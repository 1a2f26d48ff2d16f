"""Named phases of a run, from the spans that the submission announced."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.records import Event

DEPTH_MAX = 3
"""Spans nested deeper are not drawn."""


class Phase(NamedTuple):
    """One named stretch of a run, as claimed by the submission."""

    name: str
    start_ns: int
    end_ns: int
    depth: int
    """0 for spans that lie in no other."""


def _closed(open_spans: list[tuple[str, int]], name: str) -> int | None:
    """Position of the innermost open span of that name."""
    positions = [index for index, (item, _) in enumerate(open_spans) if item == name]
    return positions[-1] if positions else None


def phases_of(events: Iterable[Event], end_ns: int) -> list[Phase]:
    """All phases in order of their beginning; one that was never closed lasts until `end_ns`."""
    open_spans: list[tuple[str, int]] = []
    found: list[Phase] = []
    for event in events:
        if event.kind != "span":
            continue
        name = str(event.data.get("name", ""))
        if event.data.get("edge") == "begin":
            open_spans.append((name, event.t_ns))
        elif (position := _closed(open_spans, name)) is not None:
            start_ns = open_spans.pop(position)[1]
            found.append(Phase(name, start_ns, event.t_ns, position))
    rest = [Phase(name, start, end_ns, depth) for depth, (name, start) in enumerate(open_spans)]
    return sorted([*found, *rest], key=lambda phase: (phase.start_ns, phase.depth, phase.end_ns))


def merged(phases: Iterable[Phase], least_ns: int) -> list[Phase]:
    """Phases fit to be drawn, so that ten thousand epochs do not make ten thousand boxes.

    Neighbours of one name and depth with less than `least_ns` between them become one.
    """
    rows: list[Phase] = []
    last: dict[tuple[str, int], int] = {}
    for phase in phases:
        if phase.depth >= DEPTH_MAX:
            continue
        before = last.get((phase.name, phase.depth))
        if before is not None and phase.start_ns - rows[before].end_ns < least_ns:
            end_ns = max(rows[before].end_ns, phase.end_ns)
            rows[before] = rows[before]._replace(end_ns=end_ns)
        else:
            last[phase.name, phase.depth] = len(rows)
            rows.append(phase)
    return rows


def totals_s(phases: Iterable[Phase]) -> dict[str, tuple[int, float]]:
    """How often and how long each name occurs, by name: count and seconds."""
    found: dict[str, tuple[int, float]] = {}
    for phase in phases:
        count, seconds = found.get(phase.name, (0, 0.0))
        found[phase.name] = (count + 1, seconds + (phase.end_ns - phase.start_ns) / 1e9)
    return dict(sorted(found.items()))
