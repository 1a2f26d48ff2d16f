"""Where the joules of a run went: by domain and by phase, from its trace and its events."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.measure.energy import Energy, EnergyCurve, EnergyReader, disjoint
from harness.measure.trace import Trace
from harness.records import Run
from harness.report.entries import EntryRun
from harness.report.phases import Phase, phases_of

S_PER_NS = 1e-9
BEFORE = "before the gun"
UNNAMED = "in no phase"
AFTER = "after the snapshot that counts"
FOLD = 8
"""Most phases that get a column of their own; the rest are added up as `other phases`."""
OTHER = "other phases"


class Segment(NamedTuple):
    """One stretch, or several of one name."""

    name: str
    stretches_s: tuple[tuple[float, float], ...]
    scored: bool
    """Whether it lies between the gun and the snapshot that counts."""

    @property
    def seconds(self) -> float:
        """Length of all its stretches."""
        return sum(end - start for start, end in self.stretches_s)


class Breakdown(NamedTuple):
    """Joules of a run by domain and segment."""

    segments: tuple[Segment, ...]
    curves: tuple[EnergyCurve, ...]
    joules: dict[str, tuple[float | None, ...]]
    """By domain, one value a segment."""
    added: tuple[str, ...]
    """Disjoint domains: these may be added up."""

    def total_j(self, index: int) -> float | None:
        """Joules of a segment over disjoint domains; None where one of them has no figure."""
        parts = [self.joules[name][index] for name in self.added]
        known = [part for part in parts if part is not None]
        return sum(known) if parts and len(known) == len(parts) else None

    def scored_j(self) -> float | None:
        """Joules between the gun and the snapshot that counts, over disjoint domains."""
        parts = [self.total_j(index) for index, item in enumerate(self.segments) if item.scored]
        known = [part for part in parts if part is not None]
        return sum(known) if parts and len(known) == len(parts) else None


def cut_ns(each: EntryRun, run: Run) -> int | None:
    """Stamp of the snapshot that counts, or the end of the run where none does."""
    stamps = {shot.index: shot.stamp_ns for shot in run.snapshots}
    counted = each.score.snapshot
    return stamps.get(counted, run.window.end_ns) if counted is not None else run.window.end_ns


def _clipped(phase: Phase, start_ns: int, end_ns: int) -> tuple[float, float] | None:
    first, last = max(phase.start_ns, start_ns), min(phase.end_ns, end_ns)
    return (first * S_PER_NS, last * S_PER_NS) if last > first else None


def _phases(each: EntryRun, start_ns: int, end_ns: int) -> list[Segment]:
    """Outermost phases inside the scored window by name, longest first, the least folded."""
    named: dict[str, list[tuple[float, float]]] = {}
    for phase in phases_of(each.events, end_ns):
        stretch = _clipped(phase, start_ns, end_ns) if phase.depth == 0 else None
        if stretch is not None:
            named.setdefault(phase.name, []).append(stretch)
    found = [Segment(name, tuple(stretches), scored=True) for name, stretches in named.items()]
    found.sort(key=lambda segment: (-segment.seconds, segment.name))
    if len(found) > FOLD:
        rest = tuple(stretch for segment in found[FOLD - 1 :] for stretch in segment.stretches_s)
        found = [*found[: FOLD - 1], Segment(OTHER, rest, scored=True)]
    return found


def _gaps(
    segments: Sequence[Segment], start_s: float, end_s: float
) -> tuple[tuple[float, float], ...]:
    """What the segments leave free between two moments."""
    taken = sorted(stretch for segment in segments for stretch in segment.stretches_s)
    free, at = [], start_s
    for first, last in taken:
        if first > at:
            free.append((at, first))
        at = max(at, last)
    return (*free, (at, end_s)) if end_s > at else tuple(free)


def segments_of(each: EntryRun) -> tuple[Segment, ...]:
    """The segments of a run in order: before the gun, phases, unnamed, after what is scored."""
    run = each.run
    if run is None or run.window.gun_ns is None or run.window.end_ns is None:
        return ()
    gun_ns, end_ns, stop_ns = run.window.gun_ns, run.window.end_ns, cut_ns(each, run)
    assert stop_ns is not None
    phases = _phases(each, gun_ns, stop_ns)
    unnamed = _gaps(phases, gun_ns * S_PER_NS, stop_ns * S_PER_NS)
    edges = [Segment(UNNAMED, unnamed, scored=True)] if unnamed else []
    if run.window.launch_ns is not None:
        before = ((run.window.launch_ns * S_PER_NS, gun_ns * S_PER_NS),)
        phases.insert(0, Segment(BEFORE, before, scored=False))
    if stop_ns < end_ns:
        after = ((stop_ns * S_PER_NS, end_ns * S_PER_NS),)
        edges.append(Segment(AFTER, after, scored=False))
    return (*phases, *edges)


def breakdown_of(each: EntryRun, trace: Trace | None) -> Breakdown | None:
    """Energy of a run by domain and segment; None where there is none.

    A segment of which the readings cover less than half, as after a reset of the counter, has no
    figure; the figures of the scored segments add up to the score.
    """
    run, segments = each.run, segments_of(each)
    if run is None or trace is None or not segments:
        return None
    reader = EnergyReader(trace, run.domains)
    names = sorted(domain.name for domain in run.domains)
    curves = tuple(curve for name in names if (curve := reader.curve(name)) is not None)
    if not curves:
        return None
    joules = {
        curve.domain.name: tuple(curve.sum_j(segment.stretches_s) for segment in segments)
        for curve in curves
    }
    outermost = [domain.name for domain in disjoint(run.domains)]
    added = tuple(outermost) if set(outermost) <= set(joules) else ()
    return Breakdown(segments, curves, joules, added)


def joules_at_snapshots(each: EntryRun, trace: Trace | None) -> dict[int, float]:
    """Energy from the start signal to each snapshot, over the domains that the score adds.

    Snapshots that the readings do not cover are left out.
    """
    run, added = each.run, each.score.energy.domains
    if run is None or trace is None or run.window.gun_ns is None or not added:
        return {}
    reader = EnergyReader(trace, [domain for domain in run.domains if domain.name in added])
    curves = [reader.curve(name) for name in reader.domains]
    gun_s, joules = run.window.gun_ns * S_PER_NS, {}
    for shot in run.snapshots:
        interval = (gun_s, shot.stamp_ns * S_PER_NS)
        parts = [curve.sum_j([interval]) for curve in curves if curve is not None]
        known = [part for part in parts if part is not None]
        if len(known) == len(added):
            joules[shot.index] = sum(known)
    return joules


def energies_of(each: EntryRun, trace: Trace | None) -> Mapping[str, Energy]:
    """Joules of each domain in the scored window with the terms of their uncertainty."""
    run = each.run
    stop_ns = cut_ns(each, run) if run is not None else None
    if run is None or trace is None or run.window.gun_ns is None or stop_ns is None:
        return {}
    gun_ns = run.window.gun_ns
    if stop_ns <= gun_ns:
        return {}
    domains = sorted(run.domains, key=lambda domain: domain.name)
    return EnergyReader(trace, domains).between(gun_ns, stop_ns).domains
