"""Phases of a run, as the submission reported them, and its energy by domain and phase."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harness.measure.energy import Energy, EnergyCurve, EnergyReader, disjoint
from harness.measure.trace import Trace
from harness.records import Event
from harness.report.entries import EntryRun

S_PER_NS = 1e-9
BEFORE = "before the start signal"
UNNAMED = "in no phase"
AFTER = "after the scored snapshot"
OTHER = "other phases"
DEPTH_MAX = 3
"""Spans that are nested deeper are not drawn."""
PHASES_MAX = 8
"""Phases with a column of their own; the shortest of more phases are added as `OTHER`."""

Interval = tuple[float, float]
"""Start and end, seconds."""


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


def sum_known(parts: Iterable[float | None]) -> float | None:
    """Return the sum; None where a part is unknown or there is none."""
    values = list(parts)
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


class Segment(NamedTuple):
    """The intervals of one name."""

    name: str
    intervals_s: tuple[Interval, ...]
    scored: bool
    """Whether they lie between the start signal and the scored snapshot."""

    @property
    def seconds(self) -> float:
        """Length of all its intervals."""
        return sum(end - start for start, end in self.intervals_s)


class Breakdown(NamedTuple):
    """Energy of a run by domain and segment."""

    segments: tuple[Segment, ...]
    curves: tuple[EnergyCurve, ...]
    joules: dict[str, tuple[float | None, ...]]
    """By domain, one value for each segment."""
    added: tuple[str, ...]
    """Disjoint domains, whose energy may be added; empty where one of them was not read."""

    def total_j(self, index: int) -> float | None:
        """Return the energy of a segment over disjoint domains; None where one is unknown."""
        return sum_known(self.joules[name][index] for name in self.added)

    def scored_j(self) -> float | None:
        """Return the energy from the start signal to the scored snapshot."""
        return sum_known(self.total_j(at) for at, part in enumerate(self.segments) if part.scored)

    def between_j(self, start_s: float, end_s: float) -> float | None:
        """Return the energy of an interval over disjoint domains."""
        curves = [curve for curve in self.curves if curve.domain.name in self.added]
        return sum_known(curve.sum_j([(start_s, end_s)]) for curve in curves)


def _phase_segments(run: EntryRun, start_ns: int, end_ns: int) -> list[Segment]:
    """Return the outermost phases within the score window by name, longest first."""
    intervals: dict[str, list[Interval]] = {}
    for phase in phases_of(run.events, end_ns):
        first, last = max(phase.start_ns, start_ns), min(phase.end_ns, end_ns)
        if phase.depth == 0 and last > first:
            interval = (first * S_PER_NS, last * S_PER_NS)
            intervals.setdefault(phase.name, []).append(interval)
    segments = [Segment(name, tuple(parts), scored=True) for name, parts in intervals.items()]
    segments.sort(key=lambda segment: (-segment.seconds, segment.name))
    if len(segments) > PHASES_MAX:
        shortest = segments[PHASES_MAX - 1 :]
        rest = tuple(interval for segment in shortest for interval in segment.intervals_s)
        segments[PHASES_MAX - 1 :] = [Segment(OTHER, rest, scored=True)]
    return segments


def segments_of(run: EntryRun) -> tuple[Segment, ...]:
    """Return the segments: before the start signal, phases, unnamed, after the scored snapshot."""
    stop_ns = run.stop_ns()
    window = run.run.window if run.run else None
    if window is None or window.gun_ns is None or stop_ns is None:
        return ()
    start_s, stop_s = window.gun_ns * S_PER_NS, stop_ns * S_PER_NS
    segments = _phase_segments(run, window.gun_ns, stop_ns)
    unnamed, at_s = [], start_s
    intervals = sorted(part for segment in segments for part in segment.intervals_s)
    for first, last in [*intervals, (stop_s, stop_s)]:
        if first > at_s:
            unnamed.append((at_s, first))
        at_s = max(at_s, last)
    if unnamed:
        segments.append(Segment(UNNAMED, tuple(unnamed), scored=True))
    if window.launch_ns is not None:
        before = (window.launch_ns * S_PER_NS, start_s)
        segments.insert(0, Segment(BEFORE, (before,), scored=False))
    if window.end_ns is not None and stop_ns < window.end_ns:
        after = (stop_s, window.end_ns * S_PER_NS)
        segments.append(Segment(AFTER, (after,), scored=False))
    return tuple(segments)


def breakdown_of(run: EntryRun, trace: Trace | None) -> Breakdown | None:
    """Return the energy of a run by domain and segment; None where there is none.

    A segment of which the readings cover less than half, as after a reset of the counter, has no
    figure; the figures of the scored segments add up to the score.
    """
    segments = segments_of(run)
    if run.run is None or trace is None or not segments:
        return None
    domains = run.run.domains
    reader = EnergyReader(trace, domains)
    names = sorted(domain.name for domain in domains)
    curves = tuple(curve for name in names if (curve := reader.curve(name)) is not None)
    if not curves:
        return None
    joules = {
        curve.domain.name: tuple(curve.sum_j(segment.intervals_s) for segment in segments)
        for curve in curves
    }
    added = tuple(domain.name for domain in disjoint(domains))
    return Breakdown(segments, curves, joules, added if set(added) <= set(joules) else ())


def joules_at_snapshots(run: EntryRun, trace: Trace | None) -> dict[int, float]:
    """Return the energy from the start signal to each snapshot, over the domains of the score.

    Snapshots that the readings do not cover are left out.
    """
    names = run.score.energy.domains
    if run.run is None or trace is None or run.run.window.gun_ns is None:
        return {}
    reader = EnergyReader(trace, run.run.domains)
    curves = [reader.curve(name) if name in reader.domains else None for name in names]
    start_s, joules = run.run.window.gun_ns * S_PER_NS, {}
    for shot in run.run.snapshots:
        interval = (start_s, shot.stamp_ns * S_PER_NS)
        total = sum_known(curve.sum_j([interval]) if curve else None for curve in curves)
        if total is not None:
            joules[shot.index] = total
    return joules


def energies_of(run: EntryRun, trace: Trace | None) -> Mapping[str, Energy]:
    """Return the energy of each domain in the score window with its uncertainty."""
    stop_ns = run.stop_ns()
    gun_ns = run.run.window.gun_ns if run.run else None
    if run.run is None or trace is None or gun_ns is None or stop_ns is None or stop_ns <= gun_ns:
        return {}
    domains = sorted(run.run.domains, key=lambda domain: domain.name)
    return EnergyReader(trace, domains).between(gun_ns, stop_ns).domains
