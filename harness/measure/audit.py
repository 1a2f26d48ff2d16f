"""Judges a trace: whether the readings of a run can carry the joules that are told from them.

Each finding names a rule, a level and what to do. A `fail` makes the run `degraded`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.clock import NS_PER_S, Anchor
from harness.measure import counter
from harness.measure.energy import Energy, EnergyReader, contains
from harness.measure.events import step_seconds
from harness.measure.metering import TRACE, Metering
from harness.measure.series import Series, around, nominal_period_s
from harness.measure.trace import Trace, TraceError, read_trace
from harness.measure.watch import read_vitals
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from harness.records.run import Level

_STUCK_S = 3.0
_STUCK_UPDATES = 30
_STUCK_READINGS = 20
_SUSPEND_S = 0.010
_SLEW_RATIO = 500e-6
_AVERAGES_COMPARED = 10
"""Two meters are compared over at least this many averaging windows of the slower one."""

_ALIKE = ("-instant", "-average", "-power", "-perf")
"""Endings of domains that read the same silicon as the one without the ending."""

Seconds = tuple[float, float]


class Drift(NamedTuple):
    """How far a clock has moved against the monotonic one, over time."""

    t_s: list[float]
    moved_s: list[float]


class Case(NamedTuple):
    """One domain in one window, ready to be judged."""

    domain: Domain
    series: Series
    result: Energy
    window_s: Seconds
    rules: MeasureRules

    @property
    def estimate(self) -> bool:
        """Whether nothing was measured: an estimate is marked as such and never fails a run."""
        return self.domain.method in ("modelled", "declared")


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What is known of a measurement besides its readings."""

    faults: Sequence[Mapping[str, Any]] = ()
    """What the sampler told, as mappings with `meter`, `domain`, `message`."""
    anchors: Sequence[Anchor] = ()
    """The four clocks at several moments, in order."""
    rules: MeasureRules = field(default_factory=MeasureRules)
    """Limits of the ruleset."""
    step_s: float | None = None
    """Usual time of a training step, where it is known."""


def audit(
    trace: Trace, domains: Sequence[Domain], window: tuple[int, int], witness: Witness | None = None
) -> list[Finding]:
    """Everything that is wrong with a measurement.

    Args:
        trace: the readings.
        domains: what they are readings of.
        window: begin and end, nanoseconds on the trace's clock.
        witness: faults, clocks, limits and step time.
    """
    seen = witness or Witness()
    limits = seen.rules
    window_s = (window[0] / NS_PER_S, window[1] / NS_PER_S)
    reader = EnergyReader(trace, domains)
    results = reader.between(*window).domains
    cases = [
        Case(domain, trace.columns[domain.name], results[domain.name], window_s, limits)
        for domain in domains
        if domain.name in trace.columns and len(trace.columns[domain.name].t_ns)
    ]
    found = [
        *_faults(seen.faults),
        *_absent(trace, domains),
        *(finding for case in cases for check in _CHECKS for finding in check(case)),
        *_disagreements(domains, results, window_s, limits),
        *_clocks(drifts(seen.anchors), limits),
        *_lockstep(cases, seen.step_s),
        *_windows(reader),
    ]
    if trace.torn:
        found.append(
            _finding("trace-torn", "warn", "the trace ends in the middle of a line", _KILLED)
        )
    return found


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
        domains: what the sampler read.
        window: the run window; where it never opened or closed, readings are not judged.
        metering: the sampler's handle, for meters that did not open and its faults.
        rules: limits of the ruleset.
    """
    unopened = [
        _finding("meter-not-opened", "fail", f"meter '{name}' did not open: {reason}", _DOCTOR)
        for name, reason in metering.failed.items()
    ]
    begin_ns, end_ns = window
    path = folder / TRACE
    if begin_ns is None or end_ns is None or end_ns <= begin_ns or not path.is_file():
        return [*unopened, *_faults(metering.faults)]
    try:
        trace = read_trace(path)
    except TraceError as error:
        return [*unopened, _finding("trace-unreadable", "fail", str(error), _KILLED)]
    limits = rules or MeasureRules()
    step_s = step_seconds(folder)
    witness = Witness(faults=metering.faults, rules=limits, step_s=step_s)
    told = audit(trace, domains, (begin_ns, end_ns), witness)
    return [*unopened, *told, *_clocks(watched_drifts(folder), limits)]


_DOCTOR = "joulemark doctor says what this meter needs"
_KILLED = "the sampler was killed or the disk was full; run again"


def _finding(rule: str, level: Level, message: str, advice: str) -> Finding:
    return Finding(rule=rule, level=level, message=message, advice=advice)


def _faults(faults: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One finding for each kind of fault, however often it came."""
    kinds = Counter((fault["meter"], fault.get("domain", ""), fault["message"]) for fault in faults)
    for (meter, domain, message), times in kinds.items():
        where = f"meter '{meter}'" + (f", domain '{domain}'" if domain else "")
        often = f" ({times} times)" if times > 1 else ""
        yield _finding("meter-fault", "warn", f"{where}: {message}{often}", _DOCTOR)


def _absent(trace: Trace, domains: Sequence[Domain]) -> Iterator[Finding]:
    for domain in domains:
        series = trace.columns.get(domain.name)
        if series is None or not len(series.t_ns):
            level: Level = "warn" if domain.method == "modelled" else "fail"
            yield _finding(
                "no-readings", level, f"domain '{domain.name}' has no reading at all", _DOCTOR
            )


def _windows(reader: EnergyReader) -> Iterator[Finding]:
    """Averaging windows that the readings contradict."""
    for domain in reader.domains.values():
        seen, stated_s = reader.averaging_window(domain.name), domain.averaging_window_s
        if seen is not None and stated_s is not None and seen.contradicts(stated_s):
            text = (
                f"'{domain.name}' averages over {1e3 * seen.low_s:.0f} to {1e3 * seen.high_s:.0f} "
                f"ms, not over the {1e3 * stated_s:.0f} ms that are stated for it"
            )
            advice = "its uncertainty and bound were widened; rest on the counter beside it"
            yield _finding("averaging-window", "warn", text, advice)


# --- one domain -----------------------------------------------------------------------------------


def _coverage(case: Case) -> Iterator[Finding]:
    ratio, least = case.result.coverage_ratio, case.rules.coverage_ratio_min
    if ratio < least:
        text = (
            f"only {ratio:.1%} of the window lies between valid readings of "
            f"'{case.domain.name}' (at least {least:.0%} must)"
        )
        advice = "see the faults of this meter; give the sampler a processor core to itself"
        yield _finding("coverage", "warn" if case.estimate else "fail", text, advice)


def _gap(case: Case) -> Iterator[Finding]:
    gap_s = case.result.gap_max_s
    if gap_s is None or len(case.series.t_ns) < 3:  # noqa: PLR2004 - no usual period before that
        return
    series = _usable(case)
    usual_s = _usual_s(case, series)
    if gap_s <= case.rules.gap_periods_max * usual_s:
        return
    # A counter goes on counting through a gap; power that nobody read is gone.
    level: Level = "fail" if case.domain.method == "sampled" else "warn"
    text = (
        f"'{case.domain.name}' was not read for {gap_s:.3g} s, "
        f"{gap_s / usual_s:.1f} times its usual period"
    )
    yield _finding("gap", level, text, "keep other work off this machine; see the meter's faults")


def _usual_s(case: Case, series: Series) -> float:
    """Marks come between the readings of the grid, many of them in a short run."""
    update_s = case.domain.update_period_s or 0.0
    read_s = case.domain.read_period_s or 0.0
    return max(nominal_period_s(series.t_s, update_s), update_s, read_s)


def _usable(case: Case) -> Series:
    return _counted(case) if _is_counter(case) else case.series.with_power()


def _counted(case: Case) -> Series:
    return case.series.with_energy()


def _is_counter(case: Case) -> bool:
    return case.domain.method != "sampled" and bool(np.isfinite(case.series.energy_j).any())


def _vanished(case: Case) -> Iterator[Finding]:
    """The last reading lies well before the end: even a counter's joules are then a guess."""
    series = _usable(case)
    if len(series.t_ns) < 3:  # noqa: PLR2004 - no usual period before that
        return
    usual_s = _usual_s(case, series)
    silent_s = case.window_s[1] - float(series.t_s[-1])
    if silent_s > case.rules.gap_periods_max * usual_s:
        text = (
            f"'{case.domain.name}' was read for the last time {silent_s:.3g} s "
            "before the end of the window"
        )
        yield _finding("meter-vanished", "warn" if case.estimate else "fail", text, _DOCTOR)


def _stuck(case: Case) -> Iterator[Finding]:
    """The longest stretch without any change, within the window."""
    if case.estimate:
        return
    series = _usable(case)
    near = around(series.t_s, *case.window_s)
    values = (series.energy_j if _is_counter(case) else series.power_w)[near]
    stamps = series.t_s[near]
    breaks = np.flatnonzero(np.diff(values) != 0) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(values)])) - 1
    lengths_s = stamps[ends] - stamps[starts]
    longest = int(np.argmax(lengths_s))
    limit_s = max(_STUCK_S, _STUCK_UPDATES * (case.domain.update_period_s or 0.0))
    count = int(ends[longest] - starts[longest] + 1)
    if lengths_s[longest] > limit_s and count >= _STUCK_READINGS:
        text = (
            f"'{case.domain.name}' showed the same value for {lengths_s[longest]:.1f} s "
            f"({count} readings)"
        )
        advice = "the sensor is stuck, or the device is off; reload its driver"
        yield _finding("sensor-stuck", "fail", text, advice)


def _counter_steps(case: Case) -> Iterator[Finding]:
    if not _is_counter(case):
        return
    series = _counted(case)
    if len(series.t_ns) < 2:  # noqa: PLR2004 - no step before that
        return
    near = around(series.t_s, *case.window_s)
    steps = slice(near.start, max(near.stop - 1, near.start))
    told = counter.unfold(series, case.domain)
    raw = np.diff(series.energy_j)
    for index in np.flatnonzero(~told.valid[steps])[:8] + steps.start:
        yield _broken_step(case, series.t_s[index], float(raw[index]), series.energy_j[index + 1])
    wraps = int(told.wrapped[steps].sum())
    if wraps:
        text = f"the counter of '{case.domain.name}' wrapped {wraps} times, and was unfolded"
        yield _finding("counter-wrapped", "info", text, "")


def _broken_step(case: Case, t_s: float, raw_j: float, value_j: float) -> Finding:
    name = case.domain.name
    level: Level = "warn" if case.estimate else "fail"
    at = f"at {t_s - case.window_s[0]:.2f} s of the window"
    if raw_j >= 0:
        text = f"the counter of '{name}' rose by {raw_j:.6g} J {at}, more than its device can take"
        return _finding("counter-jump", level, text, "the driver or device misbehaves; run again")
    if value_j < -raw_j / 2:
        text = f"the counter of '{name}' fell to {value_j:.6g} J {at}, which no wrap explains"
        advice = "the driver was reloaded or the device reset; keep persistence mode on"
        return _finding("counter-reset", level, text, advice)
    text = f"the counter of '{name}' ran backwards by {-raw_j:.6g} J {at}"
    return _finding("counter-backwards", level, text, "update the driver; such steps do not count")


def _stamps(case: Case) -> Iterator[Finding]:
    steps = np.diff(case.series.t_ns)
    doubled, back = int((steps == 0).sum()), int((steps < 0).sum())
    name = case.domain.name
    if doubled:
        text = f"'{name}' has {doubled} readings with the stamp of the one before"
        yield _finding("stamps-doubled", "warn", text, "the last one of each counts")
    if back:
        text = f"'{name}' has {back} readings with a stamp before the last one's"
        yield _finding("stamps-backwards", "warn", text, "readings were put into order")


def _uncertain(case: Case) -> Iterator[Finding]:
    limit, result = case.rules.uncertainty_ratio_max, case.result
    if limit is None or not result.energy_j or result.u_j is None:
        return
    ratio = result.u_j / result.energy_j
    if ratio > limit:
        text = f"'{case.domain.name}' is known to ±{ratio:.1%} only (at most ±{limit:.0%} allowed)"
        yield _finding("uncertainty", "fail", text, "train for longer, or use a better meter")


_CHECKS = (_coverage, _gap, _vanished, _stuck, _counter_steps, _stamps, _uncertain)


# --- several domains ------------------------------------------------------------------------------


def _pairs(domains: Sequence[Domain]) -> Iterator[tuple[Domain, Domain]]:
    """Two readings of the same silicon."""
    by_name = {domain.name: domain for domain in domains}
    for domain in domains:
        for ending in _ALIKE:
            first = by_name.get(domain.name.removesuffix(ending))
            if first is not None and first is not domain:
                yield first, domain


def _disagreements(
    domains: Sequence[Domain],
    results: Mapping[str, Energy],
    window_s: Seconds,
    rules: MeasureRules,
) -> Iterator[Finding]:
    for first, second in _pairs(domains):
        slowest_s = max((item.averaging_window_s or 0.0) for item in (first, second))
        # An average over a second says nothing of a window of a second.
        if window_s[1] - window_s[0] >= _AVERAGES_COMPARED * slowest_s:
            yield from _compared(results[first.name], results[second.name], rules)
    for outer in domains:
        for inner in domains:
            if outer.name in inner.parents and contains(outer, inner):
                yield from _part_of(results[outer.name], results[inner.name])


def _compared(first: Energy, second: Energy, rules: MeasureRules) -> Iterator[Finding]:
    if first.energy_j is None or second.energy_j is None or not max(first.energy_j, 1e-9):
        return
    ratio = second.energy_j / max(first.energy_j, 1e-9)
    apart_j = abs(second.energy_j - first.energy_j)
    doubt_j = (first.u_j or 0.0) + (second.u_j or 0.0)
    if abs(ratio - 1) > rules.meters_disagree_ratio and apart_j > doubt_j:
        text = (
            f"'{first.domain}' says {first.energy_j:.6g} J and '{second.domain}' "
            f"{second.energy_j:.6g} J, {ratio:.3g} times as much"
        )
        advice = "one of the two is wrong: compare with an external meter before trusting either"
        yield _finding("meters-disagree", "fail", text, advice)


def _part_of(outer: Energy, inner: Energy) -> Iterator[Finding]:
    if outer.energy_j is None or inner.energy_j is None:
        return
    excess_j = inner.energy_j - outer.energy_j
    if excess_j > (outer.u_j or 0.0) + (inner.u_j or 0.0) and excess_j > 0.1 * outer.energy_j:
        text = (
            f"'{inner.domain}' says {inner.energy_j:.6g} J, more than the {outer.energy_j:.6g} J "
            f"of '{outer.domain}' that contains it"
        )
        advice = "one of the two is wrong: compare with an external meter before trusting either"
        yield _finding("part-exceeds-whole", "fail", text, advice)


def _lockstep(cases: Iterable[Case], step_s: float | None) -> Iterator[Finding]:
    """A sensor that looks at the same moment of each training step sees that moment alone."""
    for case in cases:
        period_s = case.domain.update_period_s
        if case.domain.method != "sampled" or not step_s or not period_s:
            continue
        window_s = case.domain.averaging_window_s or 0.0
        looks = (case.window_s[1] - case.window_s[0]) / period_s
        steps = period_s / step_s
        # Over the whole run the phase drifts by this many steps; below one it is locked.
        drift = abs(steps - round(steps)) * looks
        if window_s < min(period_s, step_s) and round(steps) >= 1 and drift < 1:
            text = (
                f"'{case.domain.name}' looks every {period_s:.4g} s and a training step takes "
                f"{step_s:.4g} s: it sees the same moment of each step"
            )
            yield _finding("sampling-locked", "warn", text, "trust the energy counter instead")


# --- clocks ---------------------------------------------------------------------------------------


def drifts(anchors: Sequence[Anchor]) -> dict[str, Drift]:
    """Movement of the wall, boottime and raw clocks against the monotonic one."""
    times = [anchor.monotonic_ns / NS_PER_S for anchor in anchors]
    return {
        name: Drift(
            times,
            [
                (getattr(anchor, f"{name}_ns") - anchor.monotonic_ns) / NS_PER_S
                for anchor in anchors
            ],
        )
        for name in ("wall", "boottime", "raw")
        if anchors
    }


def watched_drifts(folder: Path) -> dict[str, Drift]:
    """The same from what the sampler watched."""
    columns = read_vitals(folder)
    found = {}
    for name in ("wall", "boottime", "raw"):
        values = columns.get(f"clock-{name}-drift-s", [])
        if values:
            found[name] = Drift([t / NS_PER_S for t, _ in values], [v for _, v in values])
    return found


def _clocks(moved: Mapping[str, Drift], rules: MeasureRules) -> Iterator[Finding]:
    wall, boot, raw = (moved.get(name) for name in ("wall", "boottime", "raw"))
    if boot is not None and (slept_s := boot.moved_s[-1] - boot.moved_s[0]) > _SUSPEND_S:
        text = f"the machine was suspended for {slept_s:.3g} s"
        yield _finding("suspended", "fail", text, "switch sleep off and run again")
    if wall is not None and len(wall.moved_s) > 1:
        steps = np.diff(wall.moved_s)
        greatest = float(steps[np.argmax(np.abs(steps))])
        if abs(greatest) > rules.clock_step_s:
            text = f"the wall clock was set by {greatest:+.3g} s during the run"
            advice = "durations are not touched; stamps of external meters are"
            yield _finding("clock-step", "warn", text, advice)
    if raw is not None and raw.t_s[-1] - raw.t_s[0] > 1.0:
        ratio = abs(raw.moved_s[-1] - raw.moved_s[0]) / (raw.t_s[-1] - raw.t_s[0])
        if ratio > _SLEW_RATIO:
            text = f"the clock was slewed by {ratio * 1e6:.0f} ppm during the run"
            yield _finding("clock-slew", "warn", text, "let the time service settle before a run")
