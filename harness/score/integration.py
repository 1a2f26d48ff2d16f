"""Joules of a run by other integration rules than ours, recomputed from its trace.

Ours interpolates counters at both ends of the window and joins power readings by straight lines.
Others hold each power reading until the next one or back to the one before (the sum of MLPerf's
power rules: reading times the time since the last), take power readings where there is a counter,
or take the counter as it stood at its last reading.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.bundle import Bundle, BundleError
from harness.clock import NS_PER_S
from harness.measure import counter
from harness.measure.series import Series
from harness.measure.trace import Trace, TraceError, parse_trace
from harness.records import Domain, Run, RunScore

Float = npt.NDArray[np.float64]

Rule = Callable[[Series, Domain, float, float], float | None]
"""Joules of a domain between two seconds of the trace; None where its readings do not allow it."""

LEAST = 2
"""Readings that a line takes."""


def held_until_next(t_s: Float, watts: Float, a_s: float, b_s: float) -> float:
    """Left sum: each reading holds until the next one; the first also before itself."""
    knots = np.concatenate(([a_s], t_s[(t_s > a_s) & (t_s < b_s)], [b_s]))
    at = np.clip(np.searchsorted(t_s, knots[:-1], side="right") - 1, 0, None)
    return float(np.sum(watts[at] * np.diff(knots)))


def held_since_last(t_s: Float, watts: Float, a_s: float, b_s: float) -> float:
    """Right sum: each reading stands for the time since the one before; the last also after."""
    knots = np.concatenate(([a_s], t_s[(t_s > a_s) & (t_s < b_s)], [b_s]))
    at = np.clip(np.searchsorted(t_s, knots[1:], side="left"), None, len(t_s) - 1)
    return float(np.sum(watts[at] * np.diff(knots)))


def trapezoid(t_s: Float, watts: Float, a_s: float, b_s: float) -> float:
    """Area under the line through the readings; the outermost ones are carried on."""
    knots = np.concatenate(([a_s], t_s[(t_s > a_s) & (t_s < b_s)], [b_s]))
    return float(np.trapezoid(np.interp(knots, t_s, watts), knots))


def _of_power(rule: Callable[[Float, Float, float, float], float]) -> Rule:
    def found(series: Series, _: Domain, a_s: float, b_s: float) -> float | None:
        usable = series.with_power()
        if len(usable.t_ns) < LEAST:
            return None
        return rule(usable.t_s, usable.power_w, a_s, b_s)

    return found


def last_readings(series: Series, domain: Domain, a_s: float, b_s: float) -> float | None:
    """The counter at its last reading before the end less that before the begin."""
    usable = series.with_energy()
    if domain.method == "sampled" or len(usable.t_ns) < LEAST:
        return None
    total_j = counter.unfold(usable, domain).total_j
    ends = np.clip(np.searchsorted(usable.t_s, (a_s, b_s), side="right") - 1, 0, None)
    return float(total_j[ends[1]] - total_j[ends[0]])


RULES: dict[str, Rule] = {
    "power held until the next reading": _of_power(held_until_next),
    "power held since the last reading, as MLPerf sums it": _of_power(held_since_last),
    "power readings joined by lines, no counter": _of_power(trapezoid),
    "counters at their last readings, not interpolated": last_readings,
}
"""By what a reader calls them."""


def _joules(
    trace: Trace, domains: Mapping[str, Domain], run: RunScore, span_s: tuple[float, float]
) -> dict[str, float | None]:
    """Total by each rule; a domain that a rule cannot be applied to keeps its joules."""
    totals: dict[str, float | None] = {}
    for name, rule in RULES.items():
        parts, applied = [], False
        for domain in run.energy_domains:
            series = trace.columns.get(domain)
            value = None if series is None else rule(series, domains[domain], *span_s)
            applied = applied or value is not None
            parts.append(run.energy_by_domain_j.get(domain) if value is None else value)
        known = [part for part in parts if part is not None]
        totals[name] = sum(known) if applied and len(known) == len(parts) else None
    return totals


def _span_s(run: Run, score: RunScore) -> tuple[float, float] | None:
    gun_ns = run.window.gun_ns
    if gun_ns is None or score.time_s is None:
        return None
    return gun_ns / NS_PER_S, gun_ns / NS_PER_S + score.time_s


def joules_otherwise(score: RunScore, results: Path) -> dict[str, float | None]:
    """Joules to the target of one run by every other rule; None where one cannot be applied.

    Args:
        score: The run, as it was scored.
        results: Folder that its bundle's path is relative to.
    """
    nothing: dict[str, float | None] = dict.fromkeys(RULES)
    try:
        bundle = Bundle(results / score.bundle, checked=True)
        run, text = bundle.run, bundle.trace_text()
        span_s = _span_s(run, score)
        if text is None or span_s is None:
            return nothing
        trace = parse_trace(text, score.bundle)
    except (BundleError, TraceError):
        return nothing
    return _joules(trace, {domain.name: domain for domain in run.domains}, score, span_s)
