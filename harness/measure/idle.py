"""Power of the idle machine before and after a run: recorded with it, never subtracted."""

from collections.abc import Sequence
from pathlib import Path

from harness.clock import NS_PER_S
from harness.measure.energy import EnergyReader
from harness.measure.events import read_events
from harness.measure.trace import TraceError, read_trace
from harness.records import Domain, IdlePower

_KINDS = ("idle_before", "idle_after")

Interval = tuple[int, int]


def idle_power(folder: Path, domains: Sequence[Domain]) -> tuple[IdlePower, ...]:
    """Mean idle power of every domain in the intervals that the run reserved for it.

    Args:
        folder: the bundle, with its trace and `events.jsonl`.
        domains: the domains that were read.

    Returns:
        Nothing where the run reserved no interval, or where its trace cannot be read.
    """
    before, after = (_interval(folder, kind) for kind in _KINDS)
    if before is None and after is None:
        return ()
    try:
        reader = EnergyReader(read_trace(folder / "trace.csv.gz"), domains)
    except TraceError:
        return ()
    return tuple(_of_domain(reader, domain.name, before, after) for domain in domains)


def _interval(folder: Path, kind: str) -> Interval | None:
    edges = {
        event["data"]["edge"]: int(event["t_ns"])
        for event in read_events(folder)
        if event.get("kind") == kind
    }
    begin_ns, end_ns = edges.get("begin"), edges.get("end")
    return (begin_ns, end_ns) if begin_ns is not None and end_ns and end_ns > begin_ns else None


def _of_domain(
    reader: EnergyReader, name: str, before: Interval | None, after: Interval | None
) -> IdlePower:
    means: list[float | None] = []
    doubts: list[float] = []
    for interval in (before, after):
        energy = reader.energy(name, *interval) if interval else None
        if interval is None or energy is None or energy.energy_j is None:
            means.append(None)
            continue
        duration_s = (interval[1] - interval[0]) / NS_PER_S
        means.append(energy.energy_j / duration_s)
        # The gain error is the same before and after the run.
        terms = [value for term, value in energy.terms.items() if term != "gain"]
        doubts.append(sum(value * value for value in terms) ** 0.5 / duration_s)
    return IdlePower(
        domain=name, before_w=means[0], after_w=means[1], u_w=max(doubts, default=None)
    )
