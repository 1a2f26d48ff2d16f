"""Checks of one domain in one window: whether its readings support the energy from them."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.clock import NS_PER_S
from harness.measure import counter
from harness.measure.energy import Energy, EnergyReader, IntervalEnergy
from harness.measure.series import Series, around, nominal_period_s, readings_of, uses_counter
from harness.measure.stillness import DeadStretch
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from harness.records.run import Level

_READINGS_MIN = 3
"""With fewer readings there is no usual period."""
_SEEN_RATIO = 0.95
"""A sensor that averages over a smaller part of its update period is blind for the rest."""
_BROKEN_STEPS_MAX = 8
"""So many broken steps of one counter are reported."""

DOCTOR = "joulemark doctor says what this meter needs"
"""Advice where a meter cannot be read."""

ESTIMATES = ("modelled", "declared")
"""Methods that measure nothing."""


def make_finding(rule: str, level: Level, message: str, advice: str = "") -> Finding:
    """A finding, without advice where there is nothing to do."""
    return Finding(rule=rule, level=level, message=message, advice=advice)


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
    blind: bool
    """Whether it is a power sensor that may see a part of the time only."""

    @property
    def name(self) -> str:
        """Name of the domain."""
        return self.domain.name

    @property
    def length_s(self) -> float:
        """Length of the window."""
        return self.window_s[1] - self.window_s[0]

    @property
    def range_j(self) -> tuple[float, float]:
        """Where the energy may lie: the hard bound of a blind sensor, else the uncertainty."""
        energy_j, result = self.result.energy_j or 0.0, self.result
        if self.blind:
            return result.bound_j or (0.0, math.inf)
        u_j = math.hypot(*result.terms.values())
        return energy_j - u_j, energy_j + u_j

    @property
    def fail(self) -> Level:
        """Level of a failed check; outside of the total, and for an estimate, it is a warning."""
        return "fail" if self.added and self.domain.method not in ESTIMATES else "warn"


def domain_cases(
    reader: EnergyReader, interval: IntervalEnergy, window: tuple[int, int], rules: MeasureRules
) -> Iterator[DomainCase]:
    """The domains that were read, with their energy in the window."""
    window_s = (window[0] / NS_PER_S, window[1] / NS_PER_S)
    for name, domain in reader.domains.items():
        series = reader.trace.columns.get(name)
        if series is None or not len(series.t_ns):
            continue
        inferred, stated_s = reader.averaging_window(name), domain.averaging_window_s
        seen = (stated_s or 0.0) >= _SEEN_RATIO * (domain.update_period_s or 0.0) > 0
        yield DomainCase(
            domain,
            series,
            usable=readings_of(series, domain),
            counts=(counts := uses_counter(series, domain)),
            result=interval.domains[name],
            window_s=window_s,
            rules=rules,
            dead=reader.dead_stretches(name, *window_s),
            added=name in interval.total.domains,
            blind=not counts
            and (not seen or (inferred is not None and inferred.contradicts(stated_s or 0.0))),
        )


def _dead(case: DomainCase) -> Iterator[Finding]:
    for item in case.dead[:1]:
        text = f"the sensor of '{case.name}' does not work: {item.reason}"
        advice = "there is no figure for it; compare with an external meter, or reload its driver"
        yield make_finding(item.rule, case.fail, text, advice)


def _left_out(case: DomainCase) -> Iterator[Finding]:
    """Power readings that cannot be true, between others that can."""
    readings = case.series.with_power()
    near = around(readings.t_s, *case.window_s)
    wrong_w = readings.power_w[near][~np.isin(readings.t_ns[near], case.usable.t_ns)]
    if len(wrong_w) and not case.counts and not case.dead:
        most = (
            f"{len(wrong_w)} readings of '{case.name}' were left out, up to {wrong_w.max():.10g} W"
        )
        advice = "the driver or the device has a fault"
        yield make_finding("reading-implausible", "warn", f"{most}: they cannot be true", advice)


def _coverage(case: DomainCase) -> Iterator[Finding]:
    ratio, least = case.result.coverage_ratio, case.rules.coverage_ratio_min
    # Without a figure of a dead sensor there is nothing to cover.
    if ratio < least and not case.dead:
        text = (
            f"only {ratio:.1%} of the window lies between valid readings of '{case.name}' "
            f"(at least {least:.0%} must)"
        )
        advice = "see the faults of this meter; give the sampler a processor core to itself"
        yield make_finding("coverage", case.fail, text, advice)


def _gaps(case: DomainCase) -> Iterator[Finding]:
    """Times without a reading; before the end of the window even a counter's energy is a guess."""
    t_s, gap_s = case.usable.t_s, case.result.gap_max_s
    if len(t_s) < _READINGS_MIN:
        return
    # In a short run many readings are at marks, off the grid.
    update_s, read_s = case.domain.update_period_s or 0.0, case.domain.read_period_s or 0.0
    usual_s = max(nominal_period_s(t_s, update_s), update_s, read_s)
    if gap_s is not None and gap_s > case.rules.gap_periods_max * usual_s:
        # A counter goes on counting through a gap; power that was not read is lost.
        level: Level = case.fail if case.domain.method == "sampled" else "warn"
        times = f"{gap_s / usual_s:.1f} times its usual period"
        text = f"'{case.name}' was not read for {gap_s:.3g} s, {times}"
        advice = "keep other work off this machine; see the meter's faults"
        yield make_finding("gap", level, text, advice)
    silent_s = case.window_s[1] - float(t_s[-1])
    if silent_s > case.rules.gap_periods_max * usual_s:
        text = f"'{case.name}' was read for the last time {silent_s:.3g} s before the window's end"
        yield make_finding("meter-vanished", case.fail, text, DOCTOR)


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
    if wraps := int(unfolded.wrapped[steps].sum()):
        text = f"the counter of '{case.name}' wrapped {wraps} times, which is corrected"
        yield make_finding("counter-wrapped", "info", text)


def _broken_step(case: DomainCase, at_s: float, raw_j: float, value_j: float) -> Finding:
    what, when = f"the counter of '{case.name}'", f"at {at_s:.2f} s of the window"
    if raw_j >= 0:
        text = f"{what} rose by {raw_j:.6g} J {when}, more than its device can use"
        advice = "the driver or the device has a fault; run again"
        return make_finding("counter-jump", case.fail, text, advice)
    if value_j < -raw_j / 2:
        text = f"{what} fell to {value_j:.6g} J {when}, which no wrap explains"
        advice = "the driver was reloaded or the device reset; keep persistence mode on"
        return make_finding("counter-reset", case.fail, text, advice)
    text = f"{what} ran backwards by {-raw_j:.6g} J {when}"
    advice = "update the driver; such steps are not counted"
    return make_finding("counter-backwards", case.fail, text, advice)


def _stamps(case: DomainCase) -> Iterator[Finding]:
    steps = np.diff(case.series.t_ns)
    if doubled := int((steps == 0).sum()):
        text = f"'{case.name}' has {doubled} readings with the time of the one before"
        yield make_finding("stamps-doubled", "warn", text, "the last one of each is used")
    if back := int((steps < 0).sum()):
        text = f"'{case.name}' has {back} readings with an earlier time than the one before"
        yield make_finding("stamps-backwards", "warn", text, "readings were sorted by time")


def _uncertain(case: DomainCase) -> Iterator[Finding]:
    limit, result = case.rules.uncertainty_ratio_max, case.result
    ratio = (result.u_j or 0.0) / result.energy_j if result.energy_j else 0.0
    if limit is not None and ratio > limit:
        text = f"'{case.name}' is known only to ±{ratio:.1%} (at most ±{limit:.0%} allowed)"
        advice = "train for longer, or use a better meter"
        yield make_finding("uncertainty", "fail" if case.added else "warn", text, advice)


CHECKS = (_dead, _left_out, _coverage, _gaps, _counter_steps, _stamps, _uncertain)
"""All checks of one domain."""
