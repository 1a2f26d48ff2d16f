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
    ("parts", "level", "lack"),
    [
        ([CPU, DRAM, GPU], 3, ""),
        ([made("wall", "wall", "sampled")], 3, ""),
        ([CPU, GPU], 2, "energy of the memory is missing"),
        ([CPU, DRAM, made("gpu-0", "gpu", "sampled")], 2, "sampled, not counted"),
        ([GPU], 1, "energy of the processor is missing"),
        ([CPU, DRAM], 1, "not every GPU"),
        ([made("cpu", "cpu", readings_count=59), DRAM, GPU], 1, "59 readings"),
        ([made("cpu", "cpu", coverage_ratio=0.9), DRAM, GPU], 1, "cover 90%"),
        ([made("cpu", "cpu", gap_max_s=2.5), DRAM, GPU], 1, "not read for 2.5 s"),
        ([made("cpu-modelled", "cpu", "modelled"), DRAM, GPU], 0, "cpu-modelled is modelled"),
        ([made("cpu", "cpu", simulated=True)], 0, "simulated"),
        ([made("cpu", "cpu", energy_j=None)], 0, "no figure"),
        ([], 0, "nothing was measured"),
    ],
)
def test_the_level_and_what_the_next_one_asks_for(parts, level, lack):
    domains = [domain for domain, _ in parts]
    energies = {energy.domain: energy for _, energy in parts}
    result = measurement_level(energies, domains, gpus_count=1)
    assert result.level == level
    assert lack in "; ".join(result.missing_for_next)
    assert bool(result.missing_for_next) == (level < 3)


def test_a_failed_finding_keeps_the_level_down():
    failed = Finding(rule="gap", level="fail", message="a hole")
    warned = Finding(rule="gap", level="warn", message="a small hole")
    domains, energies = [CPU[0], DRAM[0]], {"cpu": CPU[1], "dram": DRAM[1]}
    assert measurement_level(energies, domains, [failed]).level == 1
    assert measurement_level(energies, domains, [warned]).level == 3
