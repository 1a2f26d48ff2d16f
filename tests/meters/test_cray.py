"""The energy counters of a Cray blade, from written files in their documented form."""

from dataclasses import asdict

import pytest

from harness.measure.energy import disjoint
from harness.meters import cray
from harness.records import Domain
from harness.records.base import load
from tests.measure.test_machine import written

STAMP = "1764566400123456 us"
BLADE = {
    "energy": f"4216739 J {STAMP}\n",
    "power": f"812 W {STAMP}\n",
    "cpu_energy": f"1032104 J {STAMP}\n",
    "cpu_power": f"180 W {STAMP}\n",
    "memory_energy": f"310200 J {STAMP}\n",
    "memory_power": f"61 W {STAMP}\n",
    "accel0_energy": f"700111 J {STAMP}\n",
    "accel0_power": f"240 W {STAMP}\n",
    "accel1_energy": f"700222 J {STAMP}\n",
    "accel0_power_cap": "0 W\n",
    "raw_scan_hz": "10\n",
    "generation": "17\n",
    "freshness": "201\n",
}


def opened(folder):
    return cray.METER.open({"root": str(folder)})


def test_every_counter_is_read_in_joules_and_watts(tmp_path):
    reader = opened(written(tmp_path, BLADE))
    readings = {item.domain: (item.energy_j, item.power_w) for item in reader.read()}
    assert readings == {
        "node-cray": (4216739.0, 812.0),
        "cpu-cray": (1032104.0, 180.0),
        "dram-cray": (310200.0, 61.0),
        "gpu-cray-0": (700111.0, 240.0),
        "gpu-cray-1": (700222.0, None),
    }
    reader.close()


def test_the_node_contains_its_parts(tmp_path):
    reader = opened(written(tmp_path, BLADE))
    domains = [load(Domain, asdict(spec), "cray") for spec in reader.domains]
    assert {domain.name for domain in disjoint(domains)} == {"node-cray"}
    reader.close()


def test_without_a_node_counter_the_parts_add_up(tmp_path):
    parts = {name: text for name, text in BLADE.items() if name not in {"energy", "power"}}
    reader = opened(written(tmp_path, parts))
    assert all(spec.parents == () for spec in reader.domains)
    reader.close()


@pytest.mark.parametrize("text", ["", "J 12\n", "12 W\n", "-4 J\n", "n/a\n"])
def test_a_counter_without_joules_gives_no_reading_and_says_so(tmp_path, text):
    reader = opened(written(tmp_path, BLADE | {"cpu_energy": text}))
    assert "cpu-cray" not in {item.domain for item in reader.read()}
    assert "cpu_energy cannot be read" in reader.errors["cpu-cray"]
    reader.close()


def test_a_machine_without_the_files_has_no_such_meter(tmp_path, monkeypatch):
    monkeypatch.setenv(cray.ROOT_VARIABLE, str(tmp_path))
    assert not cray.METER.probe().ok
    with pytest.raises(OSError, match="no energy counter"):
        cray.METER.open({})
    written(tmp_path, BLADE)
    assert cray.METER.probe().ok


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown option 'folder'"):
        cray.METER.open({"folder": "x"})
