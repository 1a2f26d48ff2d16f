"""The level of a measurement, from 0 to 3, computed from its data.

The levels follow the Green500's power measurement methodology (how much is measured and for how
long) and MLPerf's rule of at least one sample per second and 60 samples.
"""

from collections.abc import Mapping, Sequence

from harness.measure.energy import Energy, total
from harness.records import Domain, Finding

_READINGS_MIN = 60
_GAP_MAX_S = 1.0
_COVERAGE_MIN = (0.95, 0.99)
"""For level 2 and for level 3."""


def measurement_level(
    energies: Mapping[str, Energy],
    domains: Sequence[Domain],
    findings: Sequence[Finding] = (),
    gpus_count: int = 0,
) -> int:
    """Level of a measurement.

    Args:
        energies: of the run window, by the name of the domain.
        domains: the domains that were read.
        findings: of the audit; any of level `fail` keeps the level at 1 or below.
        gpus_count: GPUs of the machine; unless all are measured the level is at most 1.

    Returns:
        0 estimated or simulated, 1 measured, 2 measured throughout, 3 whole node by counters.
    """
    added = total(list(energies.values()), domains).domains
    parts = [energies[name] for name in added if name in energies]
    kinds = [part.kind for part in parts]
    if not parts or any(
        part.simulated or part.method in ("modelled", "declared") or part.energy_j is None
        for part in parts
    ):
        return 0
    node = "node" in kinds or "wall" in kinds
    complete = node or ("cpu" in kinds and kinds.count("gpu") >= gpus_count)
    throughout = all(
        part.coverage_ratio >= _COVERAGE_MIN[0]
        and part.readings_count >= _READINGS_MIN
        and (part.gap_max_s or 0.0) <= _GAP_MAX_S
        for part in parts
    )
    if not complete or not throughout or any(finding.level == "fail" for finding in findings):
        return 1
    counted = all(part.method == "counter" or part.kind == "wall" for part in parts)
    covered = all(part.coverage_ratio >= _COVERAGE_MIN[1] for part in parts)
    return 3 if counted and covered and (node or "dram" in kinds) else 2
