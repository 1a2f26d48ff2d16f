"""Which machine this is: its parts, and a short stable name for its folder of results."""

import hashlib
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from harness.records import Machine

_UNKNOWN = "unknown"


def describe(root: Path = Path("/")) -> Machine:
    """The machine without its facts; `packages` is left for whoever knows what matters.

    Args:
        root: folder that stands for `/`, so that another machine's files can be read in a test.
    """
    cpu, memory = cpu_model(root), memory_bytes(root)
    gpus = gpu_names(root)
    return Machine(
        name=name_of(cpu, gpus, _fingerprint(root, cpu, memory, gpus)),
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


def _cpuinfo(root: Path, key: str) -> str:
    found = re.search(rf"^{key}\s*:\s*(.+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else ""


def cpu_model(root: Path = Path("/")) -> str:
    """The processor's name as the kernel has it; on ARM the board's model."""
    board = _text(root / "sys/firmware/devicetree/base/model")
    return _cpuinfo(root, "model name") or board or platform.machine() or _UNKNOWN


def memory_bytes(root: Path = Path("/")) -> int:
    """Memory that the kernel manages, bytes; 0 where it cannot be told."""
    found = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def gpu_names(root: Path = Path("/")) -> list[str]:
    """Names of the GPUs: NVIDIA's from the driver, AMD's from the kernel."""
    return [*(_nvidia(root) if root != Path("/") else _nvml() or _nvidia(root)), *_amd(root)]


def _nvml() -> list[str]:
    """From the management library, which a container has even where /proc is hidden."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library, no driver: no GPU by this way
        return []
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _nvidia(root: Path) -> list[str]:
    texts = map(_text, sorted((root / "proc/driver/nvidia/gpus").glob("*/information")))
    models = (re.search(r"^Model:\s*(.+)$", text, re.MULTILINE) for text in texts)
    return [found[1].strip() for found in models if found]


def _amd(root: Path) -> list[str]:
    cards = sorted((root / "sys/class/drm").glob("card[0-9]*/device/vendor"))
    folders = [path.parent for path in cards if _text(path) == "0x1002"]
    return [_text(folder / "product_name") or "AMD GPU" for folder in folders]


def virtualised(root: Path = Path("/")) -> bool | None:
    """Whether a hypervisor lies below; None where that cannot be told."""
    flags = _cpuinfo(root, "flags") or _cpuinfo(root, "Features")
    if not flags:
        return None
    if "hypervisor" in flags.split():
        return True
    vendor = _text(root / "sys/class/dmi/id/sys_vendor")
    known = ("QEMU", "VMware", "innotek", "Xen", "Amazon EC2", "Google")
    if vendor.startswith(known):
        return "bare metal" not in vendor.lower()
    return False if _cpuinfo(root, "flags") else None


def _fingerprint(root: Path, cpu: str, memory: int, gpus: Sequence[str]) -> str:
    """Six hex digits over what stays the same from boot to boot."""
    facts = (
        cpu,
        str(os.cpu_count()),
        str(round(memory / 2**30)),
        *gpus,
        _text(root / "sys/class/dmi/id/product_name"),
        _text(root / "etc/machine-id"),
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:6]


def name_of(cpu: str, gpus: Sequence[str], fingerprint: str) -> str:
    """A folder name, as `amd-epyc-1a2b3c` or `nvidia-h100-80gb-hbm3-x8-1a2b3c`."""
    model = f"{gpus[0]} x{len(gpus)}" if gpus else re.sub(r"\((R|TM|C)\)|CPU|@.*", " ", cpu)
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:40].strip("-")
    return f"{slug or _UNKNOWN}-{fingerprint}"
