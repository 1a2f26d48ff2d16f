"""Power logs in the forms that tools write: joules by hand, dead sensors named, rubbish refused."""

from pathlib import Path

import pytest

from harness.formats.format import Format
from harness.records import ImportedRun
from harness.registry import find
from tests.powerlogs.importing import import_log

TEGRASTATS = """\
10-01-2025 20:05:55 RAM 2274/6834MB CPU [99%@1189,off] VDD_IN 5500mW/5500mW VDD_SOC 1234mW/0mW
10-01-2025 20:05:56 RAM 2303/6834MB CPU [99%@1190,off] VDD_IN 5600mW/5550mW VDD_SOC 1236mW/0mW
10-01-2025 20:05:57 RAM 2338/6834MB CPU [99%@1189,off] VDD_IN 5700mW/5600mW VDD_SOC 1240mW/0mW
"""
AGX_ORIN = """\
07-08-2022 07:51:03 VDD_GPU_SOC 19000mW/1mW VDD_CPU_CV 9500mW/0mW VIN_SYS_5V0 4000mW/0mW
07-08-2022 07:51:04 VDD_GPU_SOC 19100mW/1mW VDD_CPU_CV 9600mW/0mW VIN_SYS_5V0 4100mW/0mW
07-08-2022 07:51:05 VDD_GPU_SOC 19200mW/1mW VDD_CPU_CV 9700mW/0mW VIN_SYS_5V0 4200mW/0mW
"""
POWERMETRICS = """\
*** Sampled system activity (Fri Nov 10 12:37:08 2023 +0100) (1000.00ms elapsed) ***

CPU Power: 100 mW
GPU Power: 20 mW
Combined Power (CPU + GPU + ANE): 120 mW

*** Sampled system activity (Fri Nov 10 12:37:09 2023 +0100) (1000.00ms elapsed) ***

CPU Power: 300 mW
GPU Power: 30 mW
Combined Power (CPU + GPU + ANE): 330 mW

*** Sampled system activity (Fri Nov 10 12:37:10 2023 +0100) (1000.00ms elapsed) ***

CPU Power: 200 mW
GPU Power: 25 mW
Combined Power (CPU + GPU + ANE): 225 mW
"""
DCGM = """\
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-5b",Hostname="a"} 1000000 1700000000000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-6c",Hostname="a"} 5000000 1700000000000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-5b",Hostname="a"} 1300000 1700000001000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-6c",Hostname="a"} 5200000 1700000001000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-5b",Hostname="a"} 1550000 1700000002000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-6c",Hostname="a"} 5400500 1700000002000
"""
DMON = """\
#Date       Time        gpu    pwr  gtemp
#YYYYMMDD   HH:MM:SS    Idx      W      C
 20250330   02:00:00      0    100     40
 20250330   02:00:00      1     50     40
 20250330   02:00:01      0    120     40
 20250330   02:00:01      1     52     40
 20250330   02:00:02      0    110     40
 20250330   02:00:02      1     54     40
"""
TABLE = """\
time,power
2021-05-27T14:31:14+00:00,58840.0
2021-05-27T14:31:15+00:00,58788.0
2021-05-27T14:31:16+00:00,58800.0
"""
HL_SMI = """\
timestamp, index, name, power.draw [W]
Tue Feb 07 14:00:00 2023, 0, HL-225, 100 W
Tue Feb 07 14:00:01 2023, 0, HL-225, 110 W
Tue Feb 07 14:00:02 2023, 0, HL-225, 120 W
"""
ROCM = """\
timestamp,device,Average Graphics Package Power (W)
1700000000,card0,92.0
1700000001,card0,94.0
1700000002,card0,96.0
"""
AMD_JSON = """\
[{"timestamp": 1700000000, "gpu": 0, "power": {"socket_power": {"value": 150, "unit": "W"}}}]
[{"timestamp": 1700000001, "gpu": 0, "power": {"socket_power": {"value": 160, "unit": "W"}}}]
[{"timestamp": 1700000002, "gpu": 0, "power": {"socket_power": {"value": 170, "unit": "W"}}}]
"""
SDR = """\
2024-01-01T00:00:00Z
System Level     | 189 Watts         | ok
2024-01-01T00:00:01Z
System Level     | 191 Watts         | ok
2024-01-01T00:00:02Z
System Level     | 193 Watts         | ok
"""
GOLDEN = {
    "tegrastats": (TEGRASTATS, 5.55 + 5.65),
    "powermetrics": (POWERMETRICS, None),
    "prometheus": (DCGM, 550.0 + 400.5),
    "nvidia-smi-dmon": (DMON, 110.0 + 115.0 + 51.0 + 53.0),
    "power-table": (TABLE, 58814.0 + 58794.0),
    "hl-smi": (HL_SMI, 105.0 + 115.0),
    "rocm-smi": (ROCM, 93.0 + 95.0),
    "amd-smi": (AMD_JSON, 155.0 + 165.0),
    "ipmi-sdr": (SDR, 190.0 + 192.0),
}


def plugin(name: str) -> Format:
    value: Format = find("formats", name).value
    return value


def only(path: Path, name: str, text: str) -> ImportedRun:
    file = path / "power.csv"
    file.write_text(text)
    archive = import_log(plugin(name), file)
    (run,) = archive.runs
    return run


@pytest.mark.parametrize("name", GOLDEN)
def test_joules_are_those_by_hand(tmp_path: Path, name: str) -> None:
    text, joules = GOLDEN[name]
    run = only(tmp_path, name, text)
    assert not [item for item in run.findings if item.level == "fail"]
    (total_j,) = run.energy_by_method_j.values()
    if joules is None:  # each sample is a mean over the second before it
        assert 0.3 < total_j < 0.7
    else:
        assert total_j == pytest.approx(joules, rel=1e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_any_power_log_is_recognised(tmp_path: Path, name: str) -> None:
    text, _ = GOLDEN[name]
    named, guessed = only(tmp_path, name, text), only(tmp_path, "power-log", text)
    assert guessed.energy_by_method_j == named.energy_by_method_j


def test_the_rails_of_a_board_without_a_total_are_added(tmp_path: Path) -> None:
    """AGX Orin: one rail is a third of the board's power."""
    run = only(tmp_path, "tegrastats", AGX_ORIN)
    (total_j,) = run.energy_by_method_j.values()
    assert total_j == pytest.approx(2 * (19.1 + 9.6 + 4.1), rel=1e-6)


@pytest.mark.parametrize("name", ["tegrastats", "nvidia-smi-dmon", "rocm-smi", "power-table"])
def test_a_sensor_that_never_moves_has_no_joules(tmp_path: Path, name: str) -> None:
    line = {
        "tegrastats": "10-01-2025 20:05:{s:02d} RAM 1/2MB VDD_IN 5500mW/5500mW\n",
        "nvidia-smi-dmon": " 20250330   02:00:{s:02d}      0    100     40\n",
        "rocm-smi": "17000000{s:02d},card0,92.0\n",
        "power-table": "2021-05-27T14:31:{s:02d}+00:00,588.0\n",
    }[name]
    head = {
        "tegrastats": "",
        "nvidia-smi-dmon": "#Date       Time        gpu    pwr  gtemp\n",
        "rocm-smi": "timestamp,device,Average Graphics Package Power (W)\n",
        "power-table": "time,power\n",
    }[name]
    run = only(tmp_path, name, head + "".join(line.format(s=s) for s in range(10, 50)))
    assert run.energy_by_method_j == {}
    assert any(item.level == "fail" and "does not work" in item.message for item in run.findings)


@pytest.mark.parametrize("name", [*GOLDEN, "power-log"])
@pytest.mark.parametrize("text", ["", "hello\n", "a,b\n1,2\n", "\x00\x01\n"])
def test_rubbish_gives_no_run_and_a_finding(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "power.csv"
    file.write_text(text)
    archive = import_log(plugin(name), file)
    assert archive.runs == []
    assert archive.findings
