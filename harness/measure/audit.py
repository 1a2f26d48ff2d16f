"""Audits a measurement: whether the readings of a run can support the energy computed from them.

Each finding names a rule, a level and what to do. A finding of level `fail` makes the run
`degraded`; an estimate never fails a run.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.clock import NS_PER_S
from harness.measure import counter
from harness.measure.energy import Energy, EnergyReader, contains, disjoint
from harness.measure.events import step_seconds
from harness.measure.metering import TRACE, DeadSensor, Metering
from harness.measure.series import Series, around, nominal_period_s, readings_of, uses_counter
from harness.measure.stillness import DeadStretch
from harness.measure.trace import Trace, TraceError, read_trace
from harness.measure.watch import read_vitals
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from harness.records.run import Level

_STUCK_S = 3.0
_STUCK_UPDATES = 30
_STUCK_READINGS = 20
_READINGS_MIN = 3
"""With fewer readings there is no usual period."""
_SUSPEND_S = 0.010
_SLEW_RATIO = 500e-6
_SLEW_S = 1.0
"""Shortest time over which the rate of a clock is judged."""
_AVERAGES_COMPARED = 10
"""Two meters are compared over at least this many averaging windows of the slower one."""
_BROKEN_STEPS_MAX = 8
"""So many broken steps of one counter are reported."""

_SAME_SILICON = ("-instant", "-average", "-power", "-perf")
"""Suffixes of domains that read the same silicon as the domain without the suffix."""

_DOCTOR = "joulemark doctor says what this meter needs"
_KILLED = "the sampler was killed or the disk was full; run again"
_COMPARE = "one of the two is wrong: compare with an external meter before trusting either"

Drifts = Mapping[str, Sequence[tuple[float, float]]]
"""By clock (`wall`, `boottime`, `raw`): times in seconds, and how far the clock has moved since
the start against the monotonic one, in seconds."""


class DomainCase(NamedTuple):
    """One domain in one window, with what its checks need."""

    domain: Domain
    series: Series
    usable: Series
    """The readings that the energy comes from."""
    counts: bool
    """Whether they are a counter's."""
    result: Energy
    window_s: tuple[float, float]
    rules: MeasureRules
    dead: Sequence[DeadStretch]
    """Times of the window in which its sensor did not work."""
    added: bool
    """Whether its energy is part of the total."""

    @property
    def fail(self) -> Level:
        """Level of a failed check: an estimate is only marked."""
        return "warn" if self.domain.method in ("modelled", "declared") else "fail"

    @property
    def still(self) -> Level:
        """Level of a sensor that stands still: outside of the total it spoils no figure."""
        return self.fail if self.added else "warn"


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
    results = reader.between(*window).domains
    cases = list(_cases(reader, results, window, known.rules))
    findings = [
        *_faults(known.faults),
        *_unread(trace, domains),
        *(finding for case in cases for check in _CHECKS for finding in check(case)),
        *_disagreements(cases, known.rules),
        *_contained(domains, results),
        *_clocks(known.drifts, known.rules),
        *_locked(cases, known.step_s),
        *_contradicted_windows(reader),
    ]
    if trace.torn:
        text = "the trace ends in the middle of a line"
        findings.append(_finding("trace-torn", "warn", text, _KILLED))
    return findings


def _cases(
    reader: EnergyReader,
    results: Mapping[str, Energy],
    window: tuple[int, int],
    rules: MeasureRules,
) -> Iterator[DomainCase]:
    window_s = (window[0] / NS_PER_S, window[1] / NS_PER_S)
    added = {domain.name for domain in disjoint(list(reader.domains.values()))}
    for name, domain in reader.domains.items():
        series = reader.trace.columns.get(name)
        if series is not None and len(series.t_ns):
            usable, counts = readings_of(series, domain), uses_counter(series, domain)
            dead = reader.dead_stretches(name, *window_s)
            yield DomainCase(
                domain, series, usable, counts, results[name], window_s, rules, dead, name in added
            )


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
        _finding("meter-not-opened", "fail", f"meter '{name}' did not open: {reason}", _DOCTOR)
        for name, reason in metering.failed.items()
    ]
    findings += _dead_at_opening(metering.dead)
    (begin_ns, end_ns), path = window, folder / TRACE
    if begin_ns is None or end_ns is None or end_ns <= begin_ns or not path.is_file():
        return [*findings, *_faults(metering.faults)]
    try:
        trace = read_trace(path)
    except TraceError as error:
        return [*findings, _finding("trace-unreadable", "fail", str(error), _KILLED)]
    circumstances = Circumstances(
        faults=metering.faults,
        drifts=_recorded_drifts(folder),
        rules=rules or MeasureRules(),
        step_s=step_seconds(folder),
    )
    return [*findings, *audit(trace, domains, (begin_ns, end_ns), circumstances)]


def _finding(rule: str, level: Level, message: str, advice: str = "") -> Finding:
    return Finding(rule=rule, level=level, message=message, advice=advice)


def _dead_at_opening(dead: Iterable[DeadSensor]) -> Iterator[Finding]:
    """Sensors that were not read; one whose silicon is read by others makes no run worse."""
    for item in dead:
        text = f"the sensor of '{item.domain}' is dead and was not read: {item.reason}"
        yield _finding("sensor-dead", "warn" if item.replaced else "fail", text, _DOCTOR)


def _faults(faults: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One finding for each kind of fault."""
    kinds = Counter((fault["meter"], fault.get("domain", ""), fault["message"]) for fault in faults)
    for (meter, domain, message), count in kinds.items():
        where = f"meter '{meter}'" + (f", domain '{domain}'" if domain else "")
        times = f" ({count} times)" if count > 1 else ""
        text = f"{where}: {message}{times}"
        yield _finding("meter-fault", "warn", text, _DOCTOR)


def _unread(trace: Trace, domains: Sequence[Domain]) -> Iterator[Finding]:
    for domain in domains:
        series = trace.columns.get(domain.name)
        if series is None or not len(series.t_ns):
            level: Level = "warn" if domain.method == "modelled" else "fail"
            text = f"domain '{domain.name}' has no reading at all"
            yield _finding("no-readings", level, text, _DOCTOR)


# --- one domain -----------------------------------------------------------------------------------


def _dead(case: DomainCase) -> Iterator[Finding]:
    for item in case.dead[:1]:
        text = f"the sensor of '{case.domain.name}' is dead: {item.reason}"
        advice = "there is no figure for it; compare with an external meter, or reload its driver"
        yield _finding("sensor-dead", case.still, text, advice)


def _coverage(case: DomainCase) -> Iterator[Finding]:
    if case.dead:
        return  # without a figure there is nothing to cover
    ratio, least = case.result.coverage_ratio, case.rules.coverage_ratio_min
    if ratio < least:
        text = (
            f"only {ratio:.1%} of the window lies between valid readings of "
            f"'{case.domain.name}' (at least {least:.0%} must)"
        )
        advice = "see the faults of this meter; give the sampler a processor core to itself"
        yield _finding("coverage", case.fail, text, advice)


def _usual_s(case: DomainCase) -> float:
    """Usual time between readings. In a short run many readings are at marks, off the grid."""
    update_s = case.domain.update_period_s or 0.0
    read_s = case.domain.read_period_s or 0.0
    return max(nominal_period_s(case.usable.t_s, update_s), update_s, read_s)


def _gap(case: DomainCase) -> Iterator[Finding]:
    gap_s = case.result.gap_max_s
    if gap_s is None or len(case.usable.t_ns) < _READINGS_MIN:
        return
    usual_s = _usual_s(case)
    if gap_s > case.rules.gap_periods_max * usual_s:
        # A counter goes on counting through a gap; power that was not read is lost.
        level: Level = "fail" if case.domain.method == "sampled" else "warn"
        text = (
            f"'{case.domain.name}' was not read for {gap_s:.3g} s, "
            f"{gap_s / usual_s:.1f} times its usual period"
        )
        advice = "keep other work off this machine; see the meter's faults"
        yield _finding("gap", level, text, advice)


def _vanished(case: DomainCase) -> Iterator[Finding]:
    """The last reading is well before the end, so that even a counter's energy is a guess."""
    if len(case.usable.t_ns) < _READINGS_MIN:
        return
    silent_s = case.window_s[1] - float(case.usable.t_s[-1])
    if silent_s > case.rules.gap_periods_max * _usual_s(case):
        text = (
            f"'{case.domain.name}' was read for the last time {silent_s:.3g} s "
            "before the end of the window"
        )
        yield _finding("meter-vanished", case.fail, text, _DOCTOR)


def _stuck(case: DomainCase) -> Iterator[Finding]:
    """The longest time without any change, within the window."""
    near = around(case.usable.t_s, *case.window_s)
    values = (case.usable.energy_j if case.counts else case.usable.power_w)[near]
    if case.domain.method in ("modelled", "declared") or not len(values):
        return
    t_s = case.usable.t_s[near]
    breaks = np.flatnonzero(np.diff(values) != 0) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(values)])) - 1
    longest = int(np.argmax(t_s[ends] - t_s[starts]))
    longest_s = float(t_s[ends[longest]] - t_s[starts[longest]])
    count = int(ends[longest] - starts[longest] + 1)
    limit_s = max(_STUCK_S, _STUCK_UPDATES * (case.domain.update_period_s or 0.0))
    if longest_s > limit_s and count >= _STUCK_READINGS:
        text = (
            f"'{case.domain.name}' showed the same value for {longest_s:.1f} s ({count} readings)"
        )
        advice = "the sensor is stuck, or the device is off; reload its driver"
        yield _finding("sensor-stuck", case.still, text, advice)


def _counter_steps(case: DomainCase) -> Iterator[Finding]:
    series = case.usable
    if not case.counts or len(series.t_ns) < 2:  # noqa: PLR2004 - a step needs two readings
        return
    near = around(series.t_s, *case.window_s)
    steps = slice(near.start, max(near.stop - 1, near.start))
    unfolded, raw_j = counter.unfold(series, case.domain), np.diff(series.energy_j)
    broken = np.flatnonzero(~unfolded.valid[steps])[:_BROKEN_STEPS_MAX] + steps.start
    for index in broken:
        at_s = float(series.t_s[index]) - case.window_s[0]
        yield _broken_step(case, at_s, float(raw_j[index]), float(series.energy_j[index + 1]))
    wraps = int(unfolded.wrapped[steps].sum())
    if wraps:
        text = f"the counter of '{case.domain.name}' wrapped {wraps} times, which is corrected"
        yield _finding("counter-wrapped", "info", text)


def _broken_step(case: DomainCase, at_s: float, raw_j: float, value_j: float) -> Finding:
    name, when = case.domain.name, f"at {at_s:.2f} s of the window"
    if raw_j >= 0:
        text = f"the counter of '{name}' rose by {raw_j:.6g} J {when}, more than its device can use"
        advice = "the driver or the device has a fault; run again"
        return _finding("counter-jump", case.fail, text, advice)
    if value_j < -raw_j / 2:
        text = f"the counter of '{name}' fell to {value_j:.6g} J {when}, which no wrap explains"
        advice = "the driver was reloaded or the device reset; keep persistence mode on"
        return _finding("counter-reset", case.fail, text, advice)
    text = f"the counter of '{name}' ran backwards by {-raw_j:.6g} J {when}"
    advice = "update the driver; such steps are not counted"
    return _finding("counter-backwards", case.fail, text, advice)


def _stamps(case: DomainCase) -> Iterator[Finding]:
    steps, name = np.diff(case.series.t_ns), case.domain.name
    doubled, back = int((steps == 0).sum()), int((steps < 0).sum())
    if doubled:
        text = f"'{name}' has {doubled} readings with the time of the one before"
        advice = "the last one of each is used"
        yield _finding("stamps-doubled", "warn", text, advice)
    if back:
        text = f"'{name}' has {back} readings with an earlier time than the one before"
        advice = "readings were sorted by time"
        yield _finding("stamps-backwards", "warn", text, advice)


def _uncertain(case: DomainCase) -> Iterator[Finding]:
    limit, result = case.rules.uncertainty_ratio_max, case.result
    if limit is None or not result.energy_j or result.u_j is None:
        return
    ratio = result.u_j / result.energy_j
    if ratio > limit:
        text = f"'{case.domain.name}' is known only to ±{ratio:.1%} (at most ±{limit:.0%} allowed)"
        advice = "train for longer, or use a better meter"
        yield _finding("uncertainty", "fail", text, advice)


_CHECKS = (_dead, _coverage, _gap, _vanished, _stuck, _counter_steps, _stamps, _uncertain)


# --- several domains ------------------------------------------------------------------------------


def _disagreements(cases: Sequence[DomainCase], rules: MeasureRules) -> Iterator[Finding]:
    """Two readings of the same silicon that differ by more than their uncertainties."""
    by_name = {case.domain.name: case for case in cases}
    pairs = (
        (by_name[stem], case)
        for name, case in by_name.items()
        for suffix in _SAME_SILICON
        if (stem := name.removesuffix(suffix)) != name and stem in by_name
    )
    for first, second in pairs:
        slowest_s = max(case.domain.averaging_window_s or 0.0 for case in (first, second))
        length_s = first.window_s[1] - first.window_s[0]
        one, other = first.result, second.result
        # An average over a second says nothing about a window of a second.
        if length_s < _AVERAGES_COMPARED * slowest_s or not one.energy_j or other.energy_j is None:
            continue
        ratio = other.energy_j / one.energy_j
        difference_j = abs(other.energy_j - one.energy_j)
        u_j = (one.u_j or 0.0) + (other.u_j or 0.0)
        if abs(ratio - 1) > rules.meters_disagree_ratio and difference_j > u_j:
            text = (
                f"'{one.domain}' reads {one.energy_j:.6g} J and '{other.domain}' "
                f"{other.energy_j:.6g} J, {ratio:.3g} times as much"
            )
            yield _finding("meters-disagree", "fail", text, _COMPARE)


def _contained(domains: Sequence[Domain], results: Mapping[str, Energy]) -> Iterator[Finding]:
    """A domain with more energy than the one that contains it."""
    pairs = (
        (results[outer.name], results[inner.name])
        for outer in domains
        for inner in domains
        if outer.name in inner.parents and contains(outer, inner)
    )
    for outer, inner in pairs:
        if outer.energy_j is None or inner.energy_j is None:
            continue
        excess_j, u_j = inner.energy_j - outer.energy_j, (outer.u_j or 0.0) + (inner.u_j or 0.0)
        if excess_j > u_j and excess_j > 0.1 * outer.energy_j:
            text = (
                f"'{inner.domain}' reads {inner.energy_j:.6g} J, more than the "
                f"{outer.energy_j:.6g} J of '{outer.domain}' that contains it"
            )
            yield _finding("part-exceeds-whole", "fail", text, _COMPARE)


def _locked(cases: Iterable[DomainCase], step_s: float | None) -> Iterator[Finding]:
    """A sensor that samples the same moment of every training step sees only that moment."""
    for case in cases:
        period_s = case.domain.update_period_s
        if case.domain.method != "sampled" or not step_s or not period_s:
            continue
        samples, steps = (case.window_s[1] - case.window_s[0]) / period_s, period_s / step_s
        # Over the whole run the phase drifts by this many steps; below one it is locked.
        drift = abs(steps - round(steps)) * samples
        short = (case.domain.averaging_window_s or 0.0) < min(period_s, step_s)
        if short and round(steps) >= 1 and drift < 1:
            text = (
                f"'{case.domain.name}' samples every {period_s:.4g} s and a training step takes "
                f"{step_s:.4g} s: it sees the same moment of each step"
            )
            advice = "trust the energy counter instead"
            yield _finding("sampling-locked", "warn", text, advice)


def _contradicted_windows(reader: EnergyReader) -> Iterator[Finding]:
    for name, domain in reader.domains.items():
        inferred, stated_s = reader.averaging_window(name), domain.averaging_window_s
        if inferred is not None and stated_s is not None and inferred.contradicts(stated_s):
            low_ms, high_ms = 1e3 * inferred.low_s, 1e3 * inferred.high_s
            text = (
                f"'{name}' averages over {low_ms:.0f} to {high_ms:.0f} ms, "
                f"not over the {1e3 * stated_s:.0f} ms that are stated for it"
            )
            advice = "its uncertainty and bound were widened; use the counter of the same device"
            yield _finding("averaging-window", "warn", text, advice)


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
            yield _finding("suspended", "fail", text, advice)
        if name == "wall" and len(points) > 1:
            steps_s = np.diff(moved_s)
            greatest_s = float(steps_s[np.argmax(np.abs(steps_s))])
            if abs(greatest_s) > rules.clock_step_s:
                text = f"the wall clock was set by {greatest_s:+.3g} s during the run"
                advice = "durations are not affected; times of external meters are"
                yield _finding("clock-step", "warn", text, advice)
        if name == "raw" and t_s[-1] - t_s[0] > _SLEW_S:
            ratio = abs(total_s) / float(t_s[-1] - t_s[0])
            if ratio > _SLEW_RATIO:
                text = f"the clock was slewed by {ratio * 1e6:.0f} ppm during the run"
                advice = "let the time service settle before a run"
                yield _finding("clock-slew", "warn", text, advice)
