"""Named phases of a run, from the spans that the submission reported."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.records import Event

DEPTH_MAX = 3
"""Spans that are nested deeper are not drawn."""


class Phase(NamedTuple):
    """One named interval of a run, as reported by the submission."""

    name: str
    start_ns: int
    end_ns: int
    depth: int
    """0 for spans that are in no other span."""


def phases_of(events: Iterable[Event], end_ns: int) -> list[Phase]:
    """Return all phases by their start; a span that was never closed ends at `end_ns`."""
    open_spans: list[tuple[str, int]] = []
    phases: list[Phase] = []
    for event in events:
        if event.kind != "span":
            continue
        name = str(event.data.get("name", ""))
        if event.data.get("edge") == "begin":
            open_spans.append((name, event.t_ns))
            continue
        depths = [depth for depth, span in enumerate(open_spans) if span[0] == name]
        if depths:
            start_ns = open_spans.pop(depths[-1])[1]
            phases.append(Phase(name, start_ns, event.t_ns, depths[-1]))
    phases += [Phase(name, start, end_ns, depth) for depth, (name, start) in enumerate(open_spans)]
    return sorted(phases, key=lambda phase: (phase.start_ns, phase.depth, phase.end_ns))


def merged(phases: Iterable[Phase], gap_ns: int) -> list[Phase]:
    """Merge phases of one name and depth that are less than `gap_ns` apart.

    A chart of ten thousand epochs would otherwise have ten thousand boxes.
    """
    rows: list[Phase] = []
    last: dict[tuple[str, int], int] = {}
    for phase in phases:
        if phase.depth >= DEPTH_MAX:
            continue
        before = last.get((phase.name, phase.depth))
        if before is not None and phase.start_ns - rows[before].end_ns < gap_ns:
            end_ns = max(rows[before].end_ns, phase.end_ns)
            rows[before] = rows[before]._replace(end_ns=end_ns)
        else:
            last[phase.name, phase.depth] = len(rows)
            rows.append(phase)
    return rows


def totals_s(phases: Iterable[Phase]) -> dict[str, tuple[int, float]]:
    """Return how often each phase occurs and how long, in seconds, by name."""
    totals: dict[str, tuple[int, float]] = {}
    for phase in phases:
        count, seconds = totals.get(phase.name, (0, 0.0))
        totals[phase.name] = (count + 1, seconds + (phase.end_ns - phase.start_ns) / 1e9)
    return dict(sorted(totals.items()))
