"""How good a measurement is, as a level from 0 to 3 that is computed from the data.

After the levels of the Green500's power measurement methodology (how much is measured and for how
long) and MLPerf's rule of at least one sample a second and 60 samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.measure.energy import Energy, disjoint
from harness.records import Domain, Finding

_LEAST_READINGS = 60
_LONGEST_STEP_S = 1.0
_COVERAGE_GOOD = 0.95
_COVERAGE_BEST = 0.99


@dataclass(frozen=True)
class Grade:
    """A level with what kept it from being higher."""

    level: int
    """0 estimate or simulation, 1 measured, 2 measured throughout, 3 whole node by counters."""
    reasons: tuple[str, ...]
    """What the next level asks for and is not there; empty at 3."""

    def __str__(self) -> str:
        return f"level {self.level}"


def grade(
    energies: Sequence[Energy],
    domains: Sequence[Domain],
    findings: Sequence[Finding] = (),
    gpus_count: int = 0,
) -> Grade:
    """Level of a measurement.

    Args:
        energies: of the run window, one a domain.
        domains: what was read.
        findings: of the audit; any `fail` keeps the level at 1 or below.
        gpus_count: cards of the machine: without their joules the level stays at 1.
    """
    by_name = {energy.domain: energy for energy in energies}
    parts = [by_name[item.name] for item in disjoint(domains) if item.name in by_name]
    for level, lacks in enumerate((_not_measured(parts), _not_whole(parts, findings, gpus_count))):
        if lacks:
            return Grade(level, tuple(lacks))
    lacks = _not_best(parts)
    return Grade(2 if lacks else 3, tuple(lacks))


def _not_measured(parts: Sequence[Energy]) -> list[str]:
    lacks = [f"{part.domain} is simulated" for part in parts if part.simulated]
    lacks += [
        f"{part.domain} is {part.method}"
        for part in parts
        if part.method in ("modelled", "declared")
    ]
    lacks += [f"{part.domain} has no figure" for part in parts if part.energy_j is None]
    return lacks if parts else ["nothing was measured"]


def _not_whole(parts: Sequence[Energy], findings: Sequence[Finding], gpus_count: int) -> list[str]:
    kinds = {part.kind for part in parts}
    whole = bool(kinds & {"node", "wall"})
    lacks = []
    if not whole and "cpu" not in kinds:
        lacks.append("the processor's joules are missing")
    if gpus_count and not whole and sum(part.kind == "gpu" for part in parts) < gpus_count:
        lacks.append("not every GPU was measured")
    for part in parts:
        if part.coverage_ratio < _COVERAGE_GOOD:
            lacks.append(f"{part.domain} covers {part.coverage_ratio:.0%} of the window")
        if part.readings_count < _LEAST_READINGS:
            lacks.append(f"{part.domain} has {part.readings_count} readings, 60 are asked for")
        if (part.gap_max_s or 0.0) > _LONGEST_STEP_S:
            lacks.append(f"{part.domain} was not read for {part.gap_max_s:.1f} s")
    return lacks + [finding.message for finding in findings if finding.level == "fail"]


def _not_best(parts: Sequence[Energy]) -> list[str]:
    kinds = {part.kind for part in parts}
    lacks = []
    if not kinds & {"node", "wall"} and "dram" not in kinds:
        lacks.append("the memory's joules are missing")
    for part in parts:
        if part.method != "counter" and part.kind != "wall":
            lacks.append(f"{part.domain} is sampled, not counted")
        if part.coverage_ratio < _COVERAGE_BEST:
            lacks.append(f"{part.domain} covers {part.coverage_ratio:.1%} of the window")
    return lacks
