"""Energy of a run by other integration rules, recomputed from its trace."""

from pathlib import Path

from harness.bundle import Bundle, BundleError
from harness.clock import NS_PER_S
from harness.measure.energy import INTEGRATION_RULES, EnergyReader
from harness.measure.trace import TraceError, parse_trace
from harness.records import Run, RunScore


def _joules(
    reader: EnergyReader, score: RunScore, rule: str, span_s: tuple[float, float]
) -> float | None:
    """Total by a rule; a domain that the rule cannot be applied to keeps its energy."""
    values = {name: reader.energy_by_rule(name, *span_s, rule) for name in score.energy.domains}
    if all(value is None for value in values.values()):
        return None
    parts = [
        score.energy.by_domain_j.get(name) if value is None else value
        for name, value in values.items()
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _span_s(run: Run, score: RunScore) -> tuple[float, float] | None:
    gun_ns = run.window.gun_ns
    if gun_ns is None or score.time_s is None:
        return None
    return gun_ns / NS_PER_S, gun_ns / NS_PER_S + score.time_s


def energies_by_rule(score: RunScore, results: Path) -> dict[str, float | None]:
    """Energy to the target of one run by each other rule; None where one cannot be applied.

    Args:
        score: The run, as it was scored.
        results: Folder that its bundle's path is relative to.
    """
    nothing: dict[str, float | None] = dict.fromkeys(INTEGRATION_RULES)
    try:
        bundle = Bundle(results / score.bundle, checked=True)
        run, text = bundle.run, bundle.trace_text()
        span_s = _span_s(run, score)
        if text is None or span_s is None:
            return nothing
        trace = parse_trace(text, score.bundle)
    except (BundleError, TraceError):
        return nothing
    reader = EnergyReader(trace, run.domains)
    return {rule: _joules(reader, score, rule, span_s) for rule in INTEGRATION_RULES}
