"""The level of a measurement, from 0 to 3, computed from its data.

The levels follow the Green500's power measurement methodology (how much is measured and for how
long) and MLPerf's rule of at least one sample per second and 60 samples.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from harness.measure.energy import Energy, total
from harness.records import Domain, Finding

_READINGS_MIN = 60
_GAP_MAX_S = 1.0
_COVERAGE_MIN = (0.95, 0.99)
"""For level 2 and for level 3."""


class MeasurementLevel(NamedTuple):
    """A level, and why it is not higher."""

    level: int
    """0 estimated or simulated, 1 measured, 2 measured throughout, 3 whole node by counters."""
    missing_for_next: tuple[str, ...]
    """What the next level requires and is missing; empty at level 3."""


def measurement_level(
    energies: Mapping[str, Energy],
    domains: Sequence[Domain],
    findings: Sequence[Finding] = (),
    gpus_count: int = 0,
) -> MeasurementLevel:
    """Level of a measurement.

    Args:
        energies: of the run window, by the name of the domain.
        domains: the domains that were read.
        findings: of the audit; any of level `fail` keeps the level at 1 or below.
        gpus_count: GPUs of the machine; unless all are measured the level is at most 1.
    """
    added = total(list(energies.values()), domains).domains
    parts = [energies[name] for name in added if name in energies]
    steps = (
        _missing_for_1(parts),
        _missing_for_2(parts, findings, gpus_count),
        _missing_for_3(parts),
    )
    for level, missing in enumerate(map(tuple, steps)):
        if missing:
            return MeasurementLevel(level, missing)
    return MeasurementLevel(len(steps), ())


def _missing_for_1(parts: Sequence[Energy]) -> Iterator[str]:
    if not parts:
        yield "nothing was measured"
    for part in parts:
        if part.simulated:
            yield f"{part.domain} is simulated"
        if part.method in ("modelled", "declared"):
            yield f"{part.domain} is {part.method}"
        if part.energy_j is None:
            yield f"{part.domain} has no figure"


def _covers_node(parts: Sequence[Energy]) -> bool:
    return any(part.kind in ("node", "wall") for part in parts)


def _missing_for_2(
    parts: Sequence[Energy], findings: Sequence[Finding], gpus_count: int
) -> Iterator[str]:
    kinds = [part.kind for part in parts]
    if not _covers_node(parts) and "cpu" not in kinds:
        yield "the energy of the processor is missing"
    if not _covers_node(parts) and kinds.count("gpu") < gpus_count:
        yield "not every GPU was measured"
    for part in parts:
        if part.coverage_ratio < _COVERAGE_MIN[0]:
            yield f"the readings of {part.domain} cover {part.coverage_ratio:.0%} of the window"
        if part.readings_count < _READINGS_MIN:
            yield f"{part.domain} has {part.readings_count} readings, fewer than {_READINGS_MIN}"
        if (part.gap_max_s or 0.0) > _GAP_MAX_S:
            yield f"{part.domain} was not read for {part.gap_max_s:.1f} s"
    yield from (finding.message for finding in findings if finding.level == "fail")


def _missing_for_3(parts: Sequence[Energy]) -> Iterator[str]:
    if not _covers_node(parts) and all(part.kind != "dram" for part in parts):
        yield "the energy of the memory is missing"
    for part in parts:
        if part.method != "counter" and part.kind != "wall":
            yield f"{part.domain} is sampled, not counted"
        if part.coverage_ratio < _COVERAGE_MIN[1]:
            yield f"the readings of {part.domain} cover {part.coverage_ratio:.1%} of the window"
