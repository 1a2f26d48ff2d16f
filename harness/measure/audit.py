"""Audits a measurement: whether the readings of a run can support the energy computed from them.

Each finding names a rule, a level and what to do. A finding of level `fail` makes the run
`degraded`; an estimate never fails a run.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.clock import NS_PER_S
from harness.measure import counter
from harness.measure.domain_checks import (
    CHECKS,
    DOCTOR,
    ESTIMATES,
    DomainCase,
    domain_cases,
    make_finding,
)
from harness.measure.energy import EnergyReader, contains, disjoint
from harness.measure.events import step_seconds
from harness.measure.limits import SAME_SILICON
from harness.measure.machine import memory_bytes
from harness.measure.metering import TRACE, Metering
from harness.measure.series import Float
from harness.measure.trace import Trace, TraceError, read_trace
from harness.measure.watch import read_vitals
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from harness.records.run import Level

_AVERAGES_COMPARED = 10
"""Two meters are compared over at least this many averaging windows of the slower one."""
_EXCESS_RATIO = 0.1
"""Parts that exceed their whole by less are not reported."""
_MIRROR_READINGS = 10
_MIRROR_J = 1.0
_MIRROR_SWING = 3.0
"""The power may exceed its mean so many times between two reads."""
_MEMORY_W_PER_GIB = (0.01, 1.5)
"""Memory in use: modules of 64 GiB idle at 0.03 W per GiB, small busy ones use 1 W per GiB."""
_MEMORY_UNLIKE = (20.0, 100.0)
"""Greatest ratio of two sockets' memory powers where one is above so many watts."""

_COMPARE = "one of the two is wrong: compare with an external meter before trusting either"
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
        *_disagreements(cases, known.rules),
        *_contained(cases),
        *_mirrored(cases),
        *_memory(cases, known.memory_bytes),
        *_shared(domains),
        *_clocks(known.drifts, known.rules),
        *_locked(cases, known.step_s),
        *_contradicted_windows(reader),
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
    for item in metering.dead:
        # One whose silicon is read by others makes no run worse.
        text = f"the sensor of '{item.domain.name}' is dead and was not read: {item.reason}"
        level: Level = "warn" if item.replaced else "fail"
        findings.append(make_finding("sensor-dead", level, text, DOCTOR))
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


# --- several domains ------------------------------------------------------------------------------


def _disagreements(cases: Sequence[DomainCase], rules: MeasureRules) -> Iterator[Finding]:
    """Two readings of the same silicon that differ by more than their uncertainties."""
    by_name = {case.name: case for case in cases if case.result.energy_j is not None}
    pairs = (
        (by_name[stem], case)
        for name, case in by_name.items()
        for suffix in SAME_SILICON
        if (stem := name.removesuffix(suffix)) != name and stem in by_name
    )
    for first, second in pairs:
        slowest_s = max(case.domain.averaging_window_s or 0.0 for case in (first, second))
        one_j, other_j = first.result.energy_j, second.result.energy_j
        # An average over a second says nothing about a window of a second.
        if first.length_s < _AVERAGES_COMPARED * slowest_s or not one_j or other_j is None:
            continue
        ratio = other_j / one_j
        (low_j, high_j), (other_low_j, other_high_j) = first.range_j, second.range_j
        apart = low_j > other_high_j or other_low_j > high_j
        if abs(ratio - 1) > rules.meters_disagree_ratio and apart:
            text = (
                f"'{first.name}' reads {one_j:.6g} J and '{second.name}' "
                f"{other_j:.6g} J, {ratio:.3g} times as much"
            )
            level: Level = "fail" if first.added or second.added else "warn"
            yield make_finding("meters-disagree", level, text, _COMPARE)


def _contained(cases: Sequence[DomainCase]) -> Iterator[Finding]:
    """Parts with more energy than the domain that contains them, by name or by kind."""
    measured = {
        case.name: case
        for case in cases
        if case.result.energy_j is not None and case.domain.method not in ESTIMATES
    }
    for name, outer in measured.items():
        inside = [
            case.domain
            for case in measured.values()
            if contains(outer.domain, case.domain)
            and all(case.name.removesuffix(suffix) != name for suffix in SAME_SILICON)
        ]
        parts = [measured[domain.name] for domain in disjoint(inside)]
        outer_j = outer.result.energy_j or 0.0
        parts_j = sum(part.result.energy_j or 0.0 for part in parts)
        least_j = sum(part.range_j[0] for part in parts)
        if least_j > _most_j(outer) and parts_j > (1 + _EXCESS_RATIO) * outer_j:
            names = " and ".join(f"'{part.name}'" for part in parts)
            text = (
                f"{names} read {parts_j:.6g} J, more than the {outer_j:.6g} J of '{name}' "
                "that contains them"
            )
            level: Level = "fail" if any(case.added for case in (outer, *parts)) else "warn"
            yield make_finding("part-exceeds-whole", level, text, _COMPARE)


def _most_j(outer: DomainCase) -> float:
    """Most energy of a whole: no node or wall meter misses all high power of its parts."""
    if outer.blind and outer.domain.kind in ("node", "wall"):
        gain = outer.domain.gain_error_ratio or 0.0
        return float(outer.usable.power_w.max()) * (1 + gain) * outer.length_s
    return outer.range_j[1]


def _mirrored(cases: Sequence[DomainCase]) -> Iterator[Finding]:
    """Two counters of processors or memory that show one value, so that it is added twice.

    At every reading they differ by no more than what one of them gains between the two reads and
    within two updates; two counters of their own do not, however alike their powers are.
    """
    counters = [
        case
        for case in cases
        if case.counts and case.added and not case.dead and case.domain.kind in ("cpu", "dram")
        if len(case.usable.t_ns) >= _MIRROR_READINGS
    ]
    for first, second in itertools.combinations(counters, 2):
        if first.domain.kind != second.domain.kind:
            continue
        t_s, other_s, joules = first.usable.t_s, second.usable.t_s, _unwrapped_j(first)
        after = np.clip(other_s.searchsorted(t_s), 1, len(other_s) - 1)
        nearest = after - (t_s - other_s[after - 1] < other_s[after] - t_s)
        apart_s = np.abs(t_s - other_s[nearest]) + 2 * (first.domain.update_period_s or 0.0)
        gained_j = joules[-1] - joules[0]
        allowed_j = apart_s * gained_j / (t_s[-1] - t_s[0]) * _MIRROR_SWING
        if (
            gained_j > _MIRROR_J
            and (np.abs(joules - _unwrapped_j(second)[nearest]) <= allowed_j).all()
        ):
            names = f"'{first.name}' and '{second.name}'"
            text = f"{names} show one and the same counter, which is added twice"
            yield make_finding("counter-mirrored", "fail", text, _COMPARE)


def _unwrapped_j(case: DomainCase) -> Float:
    unfolded = counter.unfold(case.usable, case.domain)
    return np.asarray(case.usable.energy_j[0] + unfolded.total_j)


def _memory(cases: Sequence[DomainCase], memory_bytes: int) -> Iterator[Finding]:
    """Memory whose power does not fit its size, as where the unit of its counter is wrong."""
    memory = [
        (case, case.result.energy_j / case.length_s)
        for case in cases
        if case.domain.kind == "dram" and case.domain.method not in ESTIMATES
        if case.result.energy_j is not None and not case.domain.simulated
    ]
    if not memory:
        return
    watts = [item for _, item in memory]
    fail: Level = "fail" if any(case.fail == "fail" for case, _ in memory) else "warn"
    advice = "the unit of the counter may be wrong: update the kernel, or compare with a meter"
    ratio_max, above_w = _MEMORY_UNLIKE
    if max(watts) > max(above_w, ratio_max * min(watts)):
        text = f"memory of one socket uses {max(watts):.3g} W and of another {min(watts):.3g} W"
        yield make_finding("memory-power", fail, text, advice)
    low_w, high_w = (limit * memory_bytes / 2**30 for limit in _MEMORY_W_PER_GIB)
    if memory_bytes and not low_w < sum(watts) < high_w:
        text = (
            f"memory of {memory_bytes / 2**30:.0f} GiB shows {sum(watts):.3g} W, where such memory "
            f"uses {low_w:.2g} to {high_w:.3g} W"
        )
        yield make_finding("memory-power", fail, text, advice)


def _shared(domains: Sequence[Domain]) -> Iterator[Finding]:
    """Cards that are divided among jobs, so that the energy of other jobs is included."""
    for domain in domains:
        if "MIG on" in domain.source and not domain.parents:
            text = f"'{domain.name}' is of a whole card that MIG divides among several jobs"
            yield make_finding("card-shared", "warn", text, "switch MIG off for a measured run")


def _locked(cases: Iterable[DomainCase], step_s: float | None) -> Iterator[Finding]:
    """A sensor that samples the same moment of every training step sees only that moment."""
    for case in cases:
        period_s = case.domain.update_period_s
        if case.domain.method != "sampled" or not step_s or not period_s:
            continue
        samples, steps = case.length_s / period_s, period_s / step_s
        # Over the whole run the phase drifts by this many steps; below one it is locked.
        drift = abs(steps - round(steps)) * samples
        short = (case.domain.averaging_window_s or 0.0) < min(period_s, step_s)
        if short and round(steps) >= 1 and drift < 1:
            text = (
                f"'{case.name}' samples every {period_s:.4g} s and a training step takes "
                f"{step_s:.4g} s: it sees the same moment of each step"
            )
            advice = "trust the energy counter instead"
            yield make_finding("sampling-locked", "warn", text, advice)


def _contradicted_windows(reader: EnergyReader) -> Iterator[Finding]:
    """Averaging windows that the readings contradict."""
    for name, domain in reader.domains.items():
        inferred, stated_s = reader.averaging_window(name), domain.averaging_window_s
        if inferred is not None and stated_s is not None and inferred.contradicts(stated_s):
            low_ms, high_ms = 1e3 * inferred.low_s, 1e3 * inferred.high_s
            text = (
                f"'{name}' averages over {low_ms:.0f} to {high_ms:.0f} ms, "
                f"not over the {1e3 * stated_s:.0f} ms that are stated for it"
            )
            advice = "its uncertainty and bound were widened; use the counter of the same device"
            yield make_finding("averaging-window", "warn", text, advice)


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
