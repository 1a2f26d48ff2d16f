"""Audits a measurement: whether the readings of a run can support the energy computed from them.

Each finding names a rule, a level and what to do. A finding of level `fail` makes the run
`degraded`; an estimate never fails a run.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.clock import NS_PER_S
from harness.measure import consistency
from harness.measure.domain_checks import CHECKS, DOCTOR, domain_cases, make_finding
from harness.measure.energy import EnergyReader
from harness.measure.events import step_seconds
from harness.measure.machine import memory_bytes
from harness.measure.metering import TRACE, DeadSensor, Metering
from harness.measure.trace import Trace, TraceError, read_trace
from harness.measure.watch import read_vitals
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules

_SUSPEND_S = 0.010
_SLEW_RATIO = 500e-6
_SLEW_S = 1.0
"""Shortest time over which the rate of a clock is judged."""
_KILLED = "the sampler was killed or the disk was full; run again"

Drifts = Mapping[str, Sequence[tuple[float, float]]]
"""By clock (`wall`, `boottime`, `raw`): times in seconds, and how far the clock has moved since
the start against the monotonic one, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is known of a measurement besides its readings."""

    faults: Sequence[Mapping[str, Any]] = ()
    """Faults of the sampler, as mappings with `meter`, `domain`, `message`."""
    drifts: Drifts = field(default_factory=dict)
    """How the clocks moved during the run."""
    rules: MeasureRules = field(default_factory=MeasureRules)
    """Limits of the ruleset."""
    step_s: float | None = None
    """Usual length of a training step, where it is known."""
    dead: Collection[str] = ()
    """Names of domains that were not read since their sensors were dead from the start."""
    memory_bytes: int = 0
    """Memory of the machine; 0 where it is unknown."""


def audit(
    trace: Trace,
    domains: Sequence[Domain],
    window: tuple[int, int],
    circumstances: Circumstances | None = None,
) -> list[Finding]:
    """Everything that is wrong with a measurement.

    Args:
        trace: the readings.
        domains: the domains that they belong to.
        window: start and end, nanoseconds on the trace's clock.
        circumstances: faults, clocks, limits and step length.
    """
    known = circumstances or Circumstances()
    reader = EnergyReader(trace, domains)
    interval = reader.between(*window)
    cases = list(domain_cases(reader, interval, window, known.rules))
    undead = [domain for domain in domains if domain.name not in known.dead]
    findings = [
        *_faults(known.faults),
        *_unread(trace, undead, interval.total.domains),
        *(finding for case in cases for check in CHECKS for finding in check(case)),
        *consistency.disagreements(cases, known.rules),
        *consistency.contained(cases),
        *consistency.mirrored(cases),
        *consistency.memory(cases, known.memory_bytes),
        *consistency.shared(domains),
        *_clocks(known.drifts, known.rules),
        *consistency.locked(cases, known.step_s),
        *consistency.contradicted_windows(reader),
    ]
    if trace.torn:
        text = "the trace ends in the middle of a line"
        findings.append(make_finding("trace-torn", "warn", text, _KILLED))
    return findings


def audit_run(
    folder: Path,
    domains: Sequence[Domain],
    window: tuple[int | None, int | None],
    metering: Metering,
    rules: MeasureRules | None = None,
) -> list[Finding]:
    """The audit of a bundle's own files.

    Args:
        folder: the bundle, with `trace.csv.gz`, `vitals.csv.gz` and `events.jsonl`.
        domains: the domains that the sampler read.
        window: the run window; where it never opened or closed, readings are not judged.
        metering: the sampler's handle, with its faults and the meters that did not open.
        rules: limits of the ruleset.
    """
    findings = [
        make_finding("meter-not-opened", "fail", f"meter '{name}' did not open: {reason}", DOCTOR)
        for name, reason in metering.failed.items()
    ]
    findings += _dead_at_opening(metering.dead)
    (begin_ns, end_ns), path = window, folder / TRACE
    if begin_ns is None or end_ns is None or end_ns <= begin_ns or not path.is_file():
        return [*findings, *_faults(metering.faults)]
    try:
        trace = read_trace(path)
    except TraceError as error:
        return [*findings, make_finding("trace-unreadable", "fail", str(error), _KILLED)]
    circumstances = Circumstances(
        faults=metering.faults,
        drifts=_recorded_drifts(folder),
        rules=rules or MeasureRules(),
        step_s=step_seconds(folder),
        dead=[item.domain.name for item in metering.dead],
        memory_bytes=memory_bytes(),
    )
    return [*findings, *audit(trace, domains, (begin_ns, end_ns), circumstances)]


def _dead_at_opening(dead: Iterable[DeadSensor]) -> Iterator[Finding]:
    """Sensors that were not read; one whose silicon is read by others makes no run worse."""
    for item in dead:
        text = f"the sensor of '{item.domain.name}' is dead and was not read: {item.reason}"
        yield make_finding("sensor-dead", "warn" if item.replaced else "fail", text, DOCTOR)


def _faults(faults: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One finding for each kind of fault."""
    kinds = Counter((fault["meter"], fault.get("domain", ""), fault["message"]) for fault in faults)
    for (meter, domain, message), count in kinds.items():
        where = f"meter '{meter}'" + (f", domain '{domain}'" if domain else "")
        times = f" ({count} times)" if count > 1 else ""
        text = f"{where}: {message}{times}"
        yield make_finding("meter-fault", "warn", text, DOCTOR)


def _unread(trace: Trace, domains: Sequence[Domain], added: Collection[str]) -> Iterator[Finding]:
    for domain in domains:
        series = trace.columns.get(domain.name)
        if series is None or not len(series.t_ns):
            matters = domain.name in added and domain.method != "modelled"
            text = f"domain '{domain.name}' has no reading at all"
            yield make_finding("no-readings", "fail" if matters else "warn", text, DOCTOR)


# --- clocks ---------------------------------------------------------------------------------------


def _recorded_drifts(folder: Path) -> Drifts:
    """Drifts of the clocks as the sampler recorded them."""
    columns = read_vitals(folder)
    return {
        name: [(t_ns / NS_PER_S, moved_s) for t_ns, moved_s in values]
        for name in ("wall", "boottime", "raw")
        if (values := columns.get(f"clock-{name}-drift-s"))
    }


def _clocks(drifts: Drifts, rules: MeasureRules) -> Iterator[Finding]:
    for name, points in drifts.items():
        t_s, moved_s = np.array(points).T
        slept_s = total_s = float(moved_s[-1] - moved_s[0])
        if name == "boottime" and slept_s > _SUSPEND_S:
            text = f"the machine was suspended for {slept_s:.3g} s"
            advice = "switch sleep off and run again"
            yield make_finding("suspended", "fail", text, advice)
        if name == "wall" and len(points) > 1:
            steps_s = np.diff(moved_s)
            greatest_s = float(steps_s[np.argmax(np.abs(steps_s))])
            if abs(greatest_s) > rules.clock_step_s:
                text = f"the wall clock was set by {greatest_s:+.3g} s during the run"
                advice = "durations are not affected; times of external meters are"
                yield make_finding("clock-step", "warn", text, advice)
        if name == "raw" and t_s[-1] - t_s[0] > _SLEW_S:
            ratio = abs(total_s) / float(t_s[-1] - t_s[0])
            if ratio > _SLEW_RATIO:
                text = f"the clock was slewed by {ratio * 1e6:.0f} ppm during the run"
                advice = "let the time service settle before a run"
                yield make_finding("clock-slew", "warn", text, advice)
