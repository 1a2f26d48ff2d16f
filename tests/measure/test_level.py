"""The level of a measurement is computed from its data alone."""

import pytest

from harness.measure.energy import Energy
from harness.measure.level import measurement_level
from harness.records import Domain, Finding


def made(name: str, kind: str, method: str = "counter", **changes: object) -> tuple[Domain, Energy]:
    fields = {"name": name, "kind": kind, "method": method, "meter": "m", "source": "s"}
    facts: dict[str, object] = {
        "domain": name,
        "kind": kind,
        "method": method,
        "simulated": False,
        "energy_j": 100.0,
        "coverage_ratio": 1.0,
        "gap_max_s": 0.1,
        "readings_count": 100,
    }
    result = Energy(**(facts | changes))  # type: ignore[arg-type]
    return Domain(**(fields | {"simulated": result.simulated})), result  # type: ignore[arg-type]


CPU, DRAM, GPU = made("cpu", "cpu"), made("dram", "dram"), made("gpu-0", "gpu")


@pytest.mark.parametrize(
    ("parts", "level"),
    [
        ([CPU, DRAM, GPU], 3),
        ([made("wall", "wall", "sampled")], 3),
        ([CPU, GPU], 2),
        ([CPU, DRAM, made("gpu-0", "gpu", "sampled")], 2),
        ([GPU], 1),
        ([CPU, DRAM], 1),
        ([made("cpu", "cpu", readings_count=59), DRAM, GPU], 1),
        ([made("cpu", "cpu", coverage_ratio=0.9), DRAM, GPU], 1),
        ([made("cpu", "cpu", gap_max_s=2.5), DRAM, GPU], 1),
        ([made("cpu-modelled", "cpu", "modelled"), DRAM, GPU], 0),
        ([made("cpu", "cpu", simulated=True)], 0),
        ([made("cpu", "cpu", energy_j=None)], 0),
        ([], 0),
    ],
)
def test_the_level_says_what_was_measured_and_how(parts, level):
    domains = [domain for domain, _ in parts]
    energies = {energy.domain: energy for _, energy in parts}
    assert measurement_level(energies, domains, gpus_count=1) == level


def test_a_failed_finding_keeps_the_level_down():
    failed = Finding(rule="gap", level="fail", message="a hole")
    warned = Finding(rule="gap", level="warn", message="a small hole")
    domains, energies = [CPU[0], DRAM[0]], {"cpu": CPU[1], "dram": DRAM[1]}
    assert measurement_level(energies, domains, [failed]) == 1
    assert measurement_level(energies, domains, [warned]) == 3
