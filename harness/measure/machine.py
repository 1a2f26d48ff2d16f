"""Describes a machine: its parts, and a short stable name for its folder of results."""

import hashlib
import os
import platform
import re
from pathlib import Path
from typing import Any

from harness.records import Machine, MachineFact
from harness.records.machine import Verdict

Value = str | int | float | bool | None

_UNKNOWN = "unknown"


def machine_fact(
    name: str, value: Value, verdict: Verdict, source: str, advice: str = ""
) -> MachineFact:
    """A fact; an unknown value has no verdict of its own, and advice goes with a bad one only."""
    verdict = "unknown" if value is None else verdict
    advice = advice if verdict in ("warn", "fail") else ""
    return MachineFact(id=name, value=value, verdict=verdict, source=source, advice=advice)


def describe(root: Path = Path("/")) -> Machine:
    """The machine without its facts and packages, which are added for a run.

    Args:
        root: folder that is read in place of `/`.
    """
    cpu, memory, gpus = cpu_model(root), memory_bytes(root), gpu_names(root)
    # What stays the same from boot to boot.
    parts = (
        cpu,
        str(os.cpu_count()),
        str(round(memory / 2**30)),
        *gpus,
        _text(root / "sys/class/dmi/id/product_name"),
        _text(root / "etc/machine-id"),
    )
    fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:6]
    return Machine(
        name=name_of(cpu, gpus, fingerprint),
        cpu_model=cpu,
        cpu_count=len(os.sched_getaffinity(0)),
        memory_bytes=memory,
        gpus=tuple(gpus),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={},
        virtualised=virtualised(root),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return ""


def _match(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else ""


def _cpuinfo(root: Path, key: str) -> str:
    return _match(rf"^{key}\s*:\s*(.+)$", _text(root / "proc/cpuinfo"))


def cpu_model(root: Path = Path("/")) -> str:
    """The processor's name as the kernel states it; on ARM the board's model."""
    board = _text(root / "sys/firmware/devicetree/base/model")
    return _cpuinfo(root, "model name") or board or platform.machine() or _UNKNOWN


def memory_bytes(root: Path = Path("/")) -> int:
    """Memory that the kernel manages, bytes; 0 where it is unknown."""
    return int(_match(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo")) or 0) * 1024


def gpu_names(root: Path = Path("/")) -> list[str]:
    """Names of the GPUs: NVIDIA's from the driver, AMD's from the kernel."""
    folder = root / "proc/driver/nvidia/gpus"
    texts = map(_text, sorted(folder.glob("*/information")))
    nvidia = [model for text in texts if (model := _match(r"^Model:\s*(.+)$", text))]
    if root == Path("/"):
        nvidia = _nvml_names() or nvidia
    cards = sorted((root / "sys/class/drm").glob("card[0-9]*/device/vendor"))
    amd = [path.parent for path in cards if _text(path) == "0x1002"]
    return [*nvidia, *(_text(card / "product_name") or "AMD GPU" for card in amd)]


def _nvml_names() -> list[str]:
    """From the management library, which a container has even where /proc is hidden."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library or no driver, so no GPU in this way
        return []
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        names: list[Any] = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def virtualised(root: Path = Path("/")) -> bool | None:
    """Whether the machine runs under a hypervisor; None where that is unknown."""
    flags = _cpuinfo(root, "flags")
    if not flags and not _cpuinfo(root, "Features"):
        return None
    if "hypervisor" in flags.split():
        return True
    vendor = _text(root / "sys/class/dmi/id/sys_vendor")
    known = ("QEMU", "VMware", "innotek", "Xen", "Amazon EC2", "Google")
    if vendor.startswith(known):
        return "bare metal" not in vendor.lower()
    return False if flags else None


def name_of(cpu: str, gpus: list[str], fingerprint: str) -> str:
    """A folder name, as `amd-epyc-1a2b3c` or `nvidia-h100-80gb-hbm3-x8-1a2b3c`."""
    model = f"{gpus[0]} x{len(gpus)}" if gpus else re.sub(r"\((R|TM|C)\)|CPU|@.*", " ", cpu)
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:40].strip("-")
    return f"{slug or _UNKNOWN}-{fingerprint}"
