"""Grace and Jetson sensors, from written trees after the kernel's documented layout."""

from dataclasses import asdict
from pathlib import Path

import pytest

from harness.measure.energy import disjoint
from harness.meters import hwmon
from harness.records import Domain
from harness.records.base import load
from tests.measure.test_machine import written

GRACE = {
    "hwmon1/device/power1_oem_info": "Module Power Socket 0\n",
    "hwmon1/device/power1_average": "700000000\n",
    "hwmon2/device/power1_oem_info": "Grace Power Socket 0\n",
    "hwmon2/device/power1_average": "180000000\n",
    "hwmon3/device/power1_oem_info": "CPU Power Socket 0\n",
    "hwmon3/device/power1_average": "120000000\n",
    "hwmon4/device/power1_oem_info": "SysIO Power Socket 0\n",
    "hwmon4/device/power1_average": "40000000\n",
}
JETSON = {
    "hwmon1/name": "ina3221\n",
    "hwmon1/in1_label": "VDD_IN\n",
    "hwmon1/in1_input": "19000\n",
    "hwmon1/curr1_input": "500\n",
    "hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
    "hwmon1/in2_input": "19000\n",
    "hwmon1/curr2_input": "200\n",
    "hwmon1/in3_label": "VDD_GPU\n",
    "hwmon1/in3_input": "19000\n",
    "hwmon1/curr3_input": "100\n",
    "hwmon1/in7_label": "sum of shunt voltages\n",
    "hwmon1/in7_input": "99\n",
    "hwmon1/curr7_input": "99\n",
}


def opened(root: Path) -> tuple[dict[str, Domain], dict[str, float | None]]:
    reader = hwmon.METER.open({"root": str(root)})
    watts = {item.domain: item.power_w for item in reader.read()}
    reader.close()
    return {domain.name: domain for domain in reader.domains}, watts


def counted(specs: dict[str, Domain]) -> set[str]:
    records = [load(Domain, asdict(spec), "meter") for spec in specs.values()]
    return {item.name for item in disjoint(records)}


def test_grace_gives_watts_and_its_module_contains_the_rest(tmp_path):
    specs, watts = opened(written(tmp_path, GRACE))
    assert watts == {
        "node-module-0": 700.0,
        "cpu-grace-0": 180.0,
        "cpu-grace-0-cpu": 120.0,
        "cpu-grace-0-sysio": 40.0,
    }
    assert counted(specs) == {"node-module-0"}
    without_module = {name: text for name, text in GRACE.items() if "hwmon1" not in name}
    specs, _ = opened(written(tmp_path / "b", without_module))
    assert counted(specs) == {"cpu-grace-0"}


def test_a_jetson_board_is_its_input_rail(tmp_path):
    specs, watts = opened(written(tmp_path, JETSON))
    assert watts["node-vdd-in"] == pytest.approx(9.5)
    assert watts["gpu-vdd-gpu"] == pytest.approx(1.9)
    assert set(watts) == {"node-vdd-in", "cpu-vdd-cpu-gpu-cv", "gpu-vdd-gpu"}
    assert counted(specs) == {"node-vdd-in"}


def rails(**watts: float) -> dict[str, str]:
    """The files of INA3221 chips, three rails each, at 5 V."""
    files = {}
    for number, (label, power_w) in enumerate(watts.items()):
        chip, channel = f"hwmon{1 + number // 3}", 1 + number % 3
        files[f"{chip}/name"] = "ina3221\n"
        files[f"{chip}/in{channel}_label"] = f"{label}\n"
        files[f"{chip}/in{channel}_input"] = "5000\n"
        files[f"{chip}/curr{channel}_input"] = f"{power_w * 200:.0f}\n"
    return files


def test_agx_orin_is_the_sum_of_its_rails(tmp_path):
    """Its 5 V input alone is an eighth of the board (jetson_stats, issue 344)."""
    tree = rails(VDD_GPU_SOC=19, VDD_CPU_CV=9.5, VIN_SYS_5V0=4, NC=0, VDDQ_VDD2_1V8AO=1.1)
    specs, watts = opened(written(tmp_path, tree))
    assert watts["node-rails"] == pytest.approx(32.5)
    assert counted(specs) == {"node-rails"}
    assert set(watts) == {"node-rails", "gpu-vdd-gpu-soc", "cpu-vdd-cpu-cv", "dram-vddq-vdd2-1v8ao"}


def test_agx_xavier_is_the_sum_of_its_rails(tmp_path):
    tree = rails(GPU=11, CPU=4, SOC=2, CV=1, VDDRQ=2, SYS5V=3)
    specs, watts = opened(written(tmp_path, tree))
    assert watts["node-rails"] == pytest.approx(23)
    assert counted(specs) == {"node-rails"}


ACPI = {
    "hwmon2/name": "power_meter\n",
    "hwmon2/device/power1_average": "214000000\n",
    "hwmon2/device/power1_average_interval": "1000\n",
    "hwmon2/device/power1_model_number": "Intel(R) Node Manager\n",
}


def test_an_acpi_power_meter_is_the_node(tmp_path):
    """Files as in Documentation/hwmon/acpi_power_meter.rst; the name is beside or below them."""
    specs, watts = opened(written(tmp_path, ACPI))
    assert watts == {"node-acpi": 214.0}
    domain = specs["node-acpi"]
    assert (domain.kind, domain.averaging_window_s, domain.update_period_s) == ("node", 1.0, 1.0)
    assert "Node Manager" in domain.source
    below = {name.replace("hwmon2/name", "hwmon2/device/name"): text for name, text in ACPI.items()}
    assert opened(written(tmp_path / "b", below))[1] == {"node-acpi": 214.0}


def test_power_of_other_chips_is_no_acpi_meter(tmp_path):
    assert hwmon.sources(written(tmp_path, {**ACPI, "hwmon2/name": "amdgpu\n"})) == []


def test_intel_cards_have_counters(tmp_path):
    """Files as in sysfs-driver-intel-xe-hwmon and sysfs-driver-intel-i915-hwmon."""
    tree = {
        "hwmon4/name": "xe\n",
        "hwmon4/energy1_input": "8125000000\n",
        "hwmon4/energy1_label": "card\n",
        "hwmon4/power1_max": "150000000\n",
        "hwmon4/energy2_input": "7000000000\n",
        "hwmon4/energy2_label": "pkg\n",
        "hwmon11/name": "i915\n",
        "hwmon11/energy1_input": "5000000\n",
    }
    reader = hwmon.METER.open({"root": str(written(tmp_path, tree))})
    assert {item.domain: item.energy_j for item in reader.read()} == {
        "gpu-intel-0": 8125.0,
        "gpu-intel-0-pkg": 7000.0,
        "gpu-intel-1": 5.0,
    }
    specs = {domain.name: domain for domain in reader.domains}
    assert counted(specs) == {"gpu-intel-0", "gpu-intel-1"}
    assert specs["gpu-intel-0"].power_high_w == pytest.approx(225.0)
    assert specs["gpu-intel-0"].gain_error_ratio == 0.12
    reader.close()


def test_a_sensor_that_fails_is_reported(tmp_path):
    reader = hwmon.METER.open({"root": str(written(tmp_path, GRACE))})
    (tmp_path / "hwmon3/device/power1_average").write_text("\n")
    names = {item.domain for item in reader.read()}
    assert "cpu-grace-0" in names
    assert "cpu-grace-0-cpu" not in names
    assert "cannot be read" in reader.errors["cpu-grace-0-cpu"]
    reader.close()


def test_a_machine_without_such_sensors_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv(hwmon.ROOT_VARIABLE, str(tmp_path))
    availability = hwmon.METER.probe()
    assert not availability.ok
    assert "no INA3221 of a Jetson" in availability.reason
    assert hwmon.METER.kinds == ()
    with pytest.raises(OSError, match="no power meter of ACPI or Grace"):
        hwmon.METER.open({})


def test_a_machine_with_them_names_them(tmp_path, monkeypatch):
    monkeypatch.setenv(hwmon.ROOT_VARIABLE, str(written(tmp_path, GRACE)))
    availability = hwmon.METER.probe()
    assert availability.ok
    assert "node-module-0" in availability.reason
    assert set(hwmon.METER.kinds) == {"node", "cpu"}


@pytest.mark.parametrize("text", ["nan\n", "", "12 W\n", "0x10\n"])
def test_what_is_no_number_is_no_reading(tmp_path, text):
    reader = hwmon.METER.open({"root": str(written(tmp_path, GRACE))})
    (tmp_path / "hwmon2/device/power1_average").write_text(text)
    names = {item.domain for item in reader.read()}
    assert names == {"node-module-0", "cpu-grace-0-cpu", "cpu-grace-0-sysio"}
    assert set(reader.errors) == {"cpu-grace-0"}
    reader.close()


def test_a_sensor_that_comes_back_is_read_again(tmp_path):
    reader = hwmon.METER.open({"root": str(written(tmp_path, GRACE))})
    value = tmp_path / "hwmon2/device/power1_average"
    value.write_text("?\n")
    reader.read()
    value.write_text("0\n")
    result = {item.domain: item.power_w for item in reader.read()}
    assert result["cpu-grace-0"] == 0.0
    assert reader.errors == {}
    reader.close()


def test_a_label_without_its_file_is_no_sensor(tmp_path):
    written(tmp_path, {name: text for name, text in GRACE.items() if name != _MODULE_FILE})
    assert {source.domain.name for source in hwmon.sources(tmp_path)} == {
        "cpu-grace-0",
        "cpu-grace-0-cpu",
        "cpu-grace-0-sysio",
    }


_MODULE_FILE = "hwmon1/device/power1_average"


def test_sockets_of_two_modules_do_not_contain_every_other(tmp_path):
    second = {
        name.replace("hwmon", "hwmon1"): text.replace("Socket 0", "Socket 1")
        for name, text in GRACE.items()
    }
    specs, watts = opened(written(tmp_path, {**GRACE, **second}))
    assert len(watts) == 8
    assert counted(specs) == {"node-module-0", "node-module-1"}
    assert specs["cpu-grace-1-cpu"].parents == ("cpu-grace-1", "node-module-1")


def test_labels_of_other_makers_and_odd_bytes_are_passed_over(tmp_path):
    written(tmp_path, GRACE)
    (tmp_path / "hwmon3/device/power1_oem_info").write_bytes(b"\xff\xfe CPU Power Socket 0\n")
    (tmp_path / "hwmon4/device/power1_oem_info").write_text("Fan Power Socket 0\n")
    assert {source.domain.name for source in hwmon.sources(tmp_path)} == {
        "node-module-0",
        "cpu-grace-0",
    }


def test_a_rail_needs_both_of_its_files(tmp_path):
    rails = {name: text for name, text in JETSON.items() if name != "hwmon1/curr3_input"}
    _, watts = opened(written(tmp_path, rails))
    assert "gpu-vdd-gpu" not in watts
    assert "node-vdd-in" in watts


def test_a_chip_of_another_name_is_not_taken_for_the_boards(tmp_path):
    written(tmp_path, {**JETSON, "hwmon1/name": "nct6775\n"})
    assert hwmon.sources(tmp_path) == []


@pytest.mark.parametrize(
    ("label", "name", "kind"),
    [
        ("VDDQ_VDD2_DDR", "dram-vddq-vdd2-ddr", "dram"),
        ("VDD_GPU_SOC", "gpu-vdd-gpu-soc", "gpu"),
        ("VDD_CPU_CV", "cpu-vdd-cpu-cv", "cpu"),
        ("VIN_SYS_5V0", "node-vin-sys-5v0", "node"),
        (" NC / ?", "node-nc", "node"),
    ],
)
def test_a_rail_is_named_and_placed_by_its_label(tmp_path, label, name, kind):
    rail = {"hwmon1/name": "ina3221\n", "hwmon1/in1_label": f"{label}\n",
            "hwmon1/in1_input": "5000\n", "hwmon1/curr1_input": "1000\n"}  # fmt: skip
    specs, watts = opened(written(tmp_path, rail))
    assert watts == {name: pytest.approx(5.0)}
    assert specs[name].kind == kind
    assert specs[name].method == "sampled"


def test_a_sensor_that_cannot_be_read_makes_the_probe_say_which(tmp_path, monkeypatch):
    monkeypatch.setenv(hwmon.ROOT_VARIABLE, str(written(tmp_path, GRACE)))
    (tmp_path / "hwmon1/device/power1_average").write_text("busy\n")
    availability = hwmon.METER.probe()
    assert not availability.ok
    assert "hwmon1/device/power1_average cannot be read" in availability.reason
    assert "chmod" in (availability.advice or "")


def test_an_option_that_it_does_not_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown option 'rate'; there are: root"):
        hwmon.METER.open({"root": str(tmp_path), "rate": "9"})
