"""The machine's description, from this machine's files and from written ones."""

import re
from pathlib import Path

import pytest

from harness.measure import machine

INTEL = """processor\t: 0
model name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz
flags\t\t: fpu vme sse
"""


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def server(root: Path, **more: str) -> Path:
    files = {"proc/cpuinfo": INTEL, "proc/meminfo": "MemTotal:       16384 kB\n"}
    return written(root, files | more)


def test_the_name_is_fit_for_a_folder_and_always_the_same(tmp_path):
    result = machine.describe(server(tmp_path))
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{6}", result.name)
    assert result.cpu_count >= 1
    assert result == machine.describe(tmp_path)


def test_a_server_is_described_from_its_files(tmp_path):
    root = server(
        tmp_path,
        **{
            "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA H100\n",
            "proc/driver/nvidia/gpus/0000:02:00.0/information": "Model: \t NVIDIA H100\n",
            "sys/class/drm/card1/device/vendor": "0x1002\n",
            "sys/class/drm/card1/device/product_name": "AMD Instinct MI250\n",
        },
    )
    result = machine.describe(root)
    assert result.cpu_model == "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz"
    assert result.memory_bytes == 16384 * 1024
    assert result.gpus == ("NVIDIA H100", "NVIDIA H100", "AMD Instinct MI250")
    assert result.name.startswith("nvidia-h100-x3-")


def test_the_name_of_a_machine_without_cards_is_its_processors(tmp_path):
    assert machine.describe(server(tmp_path)).name.startswith("intel-xeon-gold-6230-")


def test_another_machine_of_the_same_model_has_another_name(tmp_path):
    one, other = (
        machine.describe(server(tmp_path / name, **{"etc/machine-id": name})).name
        for name in ("a", "b")
    )
    assert one != other


@pytest.mark.parametrize(
    ("cpuinfo", "vendor", "expected"),
    [
        (INTEL, "Dell Inc.", False),
        (INTEL.replace("sse", "sse hypervisor"), "", True),
        (INTEL, "QEMU", True),
        ("", "", None),
        ("processor : 0\nFeatures : fp asimd\n", "", None),
    ],
)
def test_virtual_machines_are_recognized_or_unknown(tmp_path, cpuinfo, vendor, expected):
    root = written(tmp_path, {"proc/cpuinfo": cpuinfo, "sys/class/dmi/id/sys_vendor": vendor})
    assert machine.virtualised(root) is expected


def test_a_machine_without_any_file_is_still_described(tmp_path):
    result = machine.describe(tmp_path)
    assert result.memory_bytes == 0
    assert result.gpus == ()
    assert result.virtualised is None
