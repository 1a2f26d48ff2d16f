"""Facts about whether the machine is fit for a measurement, before and after a run.

For an energy contest nothing is enforced: the governor and the clocks are part of the contest.
What is required is that they stay the same and that nothing else runs. `unknown` is a verdict of
its own and never counts as a pass.
"""

import ctypes
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from harness.measure.machine import Value, machine_fact, virtualised
from harness.records import MachineFact
from harness.records.machine import Verdict

_LOAD_PER_CPU = 0.1
_PRESSURE_PERCENT = 5.0
_STEAL_RATIO = 0.01
_HOT_C = 85.0
_FREE_BYTES = 2 << 30
_CPU = "sys/devices/system/cpu"

_STABLE_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
_STA_UNSYNC = 0x0040
_STAT_FIELDS = 8
"""User to steal in `/proc/stat` (`man 5 proc_stat`)."""


SLOWED = 0x08 | 0x20 | 0x40 | 0x80
"""NVML's clock event reasons for a slowed card: hardware slowdown, software thermal, hardware
thermal, power brake."""

_SM_CLOCK = 1
"""`NVML_CLOCK_SM`."""

_ADVICE = {
    "other-processes-count": "end the other processes on this card: their energy is counted too",
    "persistence": "sudo nvidia-smi -pm 1 keeps the driver and its counter loaded",
    "mig": "power is known for the whole card only: switch MIG off for a measured run",
    "throttled": "the card is slowed by heat or its supply: fix the cooling first",
}


class MachineFiles:
    """The files of a machine below a root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, path: str) -> str | None:
        """Content of a file; None where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def texts(self, pattern: str) -> list[str]:
        """Contents of all readable files that match, in the order of their names."""
        texts = (self.text(str(path.relative_to(self.root))) for path in self.paths(pattern))
        return [text for text in texts if text is not None]

    def paths(self, pattern: str) -> list[Path]:
        """Files that match."""
        return sorted(self.root.glob(pattern))

    def match(self, pattern: str, path: str) -> str | None:
        """The first group of a pattern in a file, matched line by line."""
        match = re.search(pattern, self.text(path) or "", re.MULTILINE)
        return match[1] if match else None


def _fact(
    name: str,
    value: Value,
    path: str,
    *,
    bad: bool | None = None,
    verdict: Verdict = "fail",
    advice: str = "",
) -> MachineFact:
    """A fact of a file; it is only recorded where nothing says whether it is bad."""
    ok: Verdict = "recorded" if bad is None else "ok"
    return machine_fact(name, value, verdict if bad else ok, f"/{path}", advice)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


_CONTENTS = {
    "smt": f"{_CPU}/smt/control",
    "cpu-isolated": f"{_CPU}/isolated",
    "cpu-online": f"{_CPU}/online",
    "cpu-allowed": "sys/fs/cgroup/cpuset.cpus.effective",
    "transparent-huge-pages": "sys/kernel/mm/transparent_hugepage/enabled",
    "address-randomisation": "proc/sys/kernel/randomize_va_space",
}
"""Files whose contents are facts."""

_OF_ALL_CORES = {
    "cpu-governor": "scaling_governor",
    "cpu-driver": "scaling_driver",
    "cpu-energy-preference": "energy_performance_preference",
}

_OPTIONS = ("mitigations", "isolcpus", "nohz_full", "intel_pstate", "amd_pstate", "idle", "nosmt")
"""Boot options that affect speed and power; the others are not recorded."""


def _processor(files: MachineFiles) -> Iterator[MachineFact]:
    for name, file in _OF_ALL_CORES.items():
        pattern = f"{_CPU}/cpu[0-9]*/cpufreq/{file}"
        # The one value of all cores, or all values where they differ.
        yield _fact(name, ", ".join(sorted(set(files.texts(pattern)))) or None, pattern)
    source = f"{_CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq"
    clocks = [float(text) * 1e3 for text in files.texts(source)]
    if not clocks:
        source = "proc/cpuinfo"
        lines = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", files.text(source) or "", re.MULTILINE)
        clocks = [float(text) * 1e6 for text in lines]
    yield _fact("cpu-clock-hz", sum(clocks) / len(clocks) if clocks else None, source)
    path, on = f"{_CPU}/intel_pstate/no_turbo", "0"
    if files.text(path) is None:
        path, on = f"{_CPU}/cpufreq/boost", "1"
    text = files.text(path)
    yield _fact("cpu-turbo", None if text is None else text == on, path)
    for name, path in _CONTENTS.items():
        yield _fact(name, files.text(path), path)
    line = files.text("proc/cmdline")
    options = [part for part in (line or "").split() if part.partition("=")[0] in _OPTIONS]
    yield _fact("kernel-options", None if line is None else " ".join(options), "proc/cmdline")
    microcode = files.match(r"^microcode\s*:\s*(\S+)", "proc/cpuinfo")
    yield _fact("microcode", microcode, "proc/cpuinfo")
    source = f"{_CPU}/vulnerabilities"
    states = files.texts(f"{source}/*")
    mitigated = sum(text.startswith("Mitigation") for text in states)
    yield _fact("mitigations-count", mitigated if states else None, source)


def _load(files: MachineFiles) -> Iterator[MachineFact]:
    load = _number(files.match(r"^([\d.]+)", "proc/loadavg"))
    limit = max(_LOAD_PER_CPU * (os.cpu_count() or 1), 0.5)
    advice = "end other work on this machine, or wait until the load has gone down"
    yield _fact("load-average", load, "proc/loadavg", bad=(load or 0.0) > limit, advice=advice)
    for name in ("cpu", "memory", "io"):
        path = f"proc/pressure/{name}"
        value = _number(files.match(r"^some avg10=([\d.]+)", path))
        bad = (value or 0.0) > _PRESSURE_PERCENT
        yield _fact(f"pressure-{name}-percent", value, path, bad=bad, advice=advice)
    fields = (files.text("proc/stat") or "").partition("\n")[0].split()
    ticks = [int(field) for field in fields[1 : _STAT_FIELDS + 1]] if fields[:1] == ["cpu"] else []
    ratio = ticks[-1] / max(1, sum(ticks)) if len(ticks) == _STAT_FIELDS else None
    yield _fact(
        "cpu-steal-ratio",
        ratio,
        "proc/stat",
        bad=(ratio or 0.0) > _STEAL_RATIO,
        verdict="warn",
        advice="other guests share these processors; ask for dedicated ones",
    )
    text = files.text("proc/swaps")
    areas = None if text is None else max(0, len(text.splitlines()) - 1)
    advice = "swapoff -a keeps swap traffic out of the run"
    path = "proc/swaps"
    yield _fact("swap-areas-count", areas, path, bad=bool(areas), verdict="warn", advice=advice)
    for name in ("pswpin", "pswpout"):
        pages = files.match(rf"^{name} (\d+)", "proc/vmstat")
        yield _fact(f"{name}-pages", int(pages) if pages else None, "proc/vmstat")


def _heat(files: MachineFiles) -> Iterator[MachineFact]:
    for kind in ("core", "package"):
        pattern = f"{_CPU}/cpu[0-9]*/thermal_throttle/{kind}_throttle_count"
        counts = [int(text) for text in files.texts(pattern)]
        yield _fact(f"{kind}-throttle-count", sum(counts) if counts else None, pattern)
    pattern = "sys/class/thermal/thermal_zone*/temp"
    temperatures = files.texts(pattern) or files.texts("sys/class/hwmon/hwmon*/temp*_input")
    hottest = max((float(text) / 1000 for text in temperatures), default=None)
    bad, advice = (hottest or 0.0) > _HOT_C, "let the machine cool down"
    yield _fact("temperature-max-c", hottest, pattern, bad=bad, verdict="warn", advice=advice)


def _supply(files: MachineFiles) -> Iterator[MachineFact]:
    pattern = "sys/class/power_supply"
    folders = [path.parent.relative_to(files.root) for path in files.paths(f"{pattern}/*/type")]
    # The battery of a mouse or a headset says nothing about this machine.
    folders = [folder for folder in folders if files.text(f"{folder}/scope") != "Device"]
    if not folders:
        yield _fact("power-supply", "none listed, as on servers", pattern)
        return
    discharging = any(files.text(f"{folder}/status") == "Discharging" for folder in folders)
    mains = [folder for folder in folders if files.text(f"{folder}/type") == "Mains"]
    unplugged = bool(mains) and all(files.text(f"{main}/online") == "0" for main in mains)
    battery = discharging or unplugged
    advice = "connect the power supply: on battery the power limits differ"
    yield _fact(
        "power-supply", "battery" if battery else "mains", pattern, bad=battery, advice=advice
    )


def _platform(files: MachineFiles) -> Iterator[MachineFact]:
    path = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    value: Value = files.text(path)
    bad, advice = value not in _STABLE_CLOCKS, "a slow clock source disturbs the sampler"
    yield _fact("clocksource", value, path, bad=bad, verdict="warn", advice=advice)
    value, path = virtualised(files.root), "proc/cpuinfo"
    advice = "a virtual machine hides energy counters and shares its processors"
    yield _fact("virtualised", value, path, bad=bool(value), verdict="warn", advice=advice)
    for name, file in (("cgroup-cpu-limit", "cpu.max"), ("cgroup-memory-limit", "memory.max")):
        limit, path = _group_limit(files, file)
        bad = not (limit or "").startswith("max")
        advice = "a limit on this container is part of the machine that is measured"
        yield _fact(name, limit, path, bad=bad, verdict="warn", advice=advice)
    pattern = "sys/class/powercap/intel-rapl:*/energy_uj"
    paths = files.paths(pattern)
    readable = sum(os.access(path, os.R_OK) for path in paths)
    value = f"{readable} of {len(paths)} zones readable" if paths else "no zone"
    bad, advice = not paths or readable < len(paths), "see the line of the meter rapl"
    yield _fact("rapl", value, pattern, bad=bad, verdict="warn", advice=advice)


def _group_limit(files: MachineFiles, file: str) -> tuple[str | None, str]:
    """The first limit from this process's own control group upwards, else one without a limit.

    The root of the tree has no such file on a plain machine, only within a container.
    """
    group = files.match(r"^0::/(.*)$", "proc/self/cgroup") or ""
    folder = Path("sys/fs/cgroup") / ("" if ".." in group else group)
    unlimited: tuple[str | None, str] = (None, f"sys/fs/cgroup/{file}")
    for path in (folder, *folder.parents)[: len(folder.parts) - 2]:
        limit = files.text(f"{path}/{file}")
        if limit is not None and not limit.startswith("max"):
            return limit, f"{path}/{file}"
        if limit is not None and unlimited[0] is None:
            unlimited = (limit, f"{path}/{file}")
    return unlimited


def _this_machine() -> Iterator[MachineFact]:
    """Facts that no file states."""
    buffer = (ctypes.c_long * 64)()
    # Whether the kernel's clock follows a time server (`man 2 adjtimex`).
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    value = None if state < 0 else not status & _STA_UNSYNC
    advice = "wall time is only an anchor here, but external meters need it: start chrony"
    verdict: Verdict = "ok" if value else "warn"
    yield machine_fact("clock-synchronised", value, verdict, "adjtimex(2)", advice)
    folders = {"working-folder-free-bytes": Path.cwd(), "tmp-free-bytes": Path(gettempdir())}
    for name, folder in folders.items():
        free, advice = shutil.disk_usage(folder).free, "make room, at least 2 GiB"
        verdict = "fail" if free < _FREE_BYTES else "ok"
        yield machine_fact(name, free, verdict, "statvfs(3)", advice)


def gpu_facts() -> list[MachineFact]:
    """Facts of every card; empty without a driver, which the meter `nvml` reports."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library or no driver
        return []
    try:
        count = pynvml.nvmlDeviceGetCount()
        return [fact for index in range(count) for fact in _of_card(pynvml, index)]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _of_card(nvml: Any, index: int) -> Iterator[MachineFact]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def fact(
        name: str, calls: str, judge: Callable[..., tuple[Any, Verdict]], *arguments: Any
    ) -> MachineFact:
        """The judged answers of one or several calls, whose names are the fact's source."""
        try:
            answers = [getattr(nvml, call)(handle, *arguments) for call in calls.split(", ")]
            value, verdict = judge(*answers)
        except (nvml.NVMLError, AttributeError):
            value, verdict = None, "unknown"
        return machine_fact(f"gpu-{index}-{name}", value, verdict, calls, _ADVICE.get(name, ""))

    yield fact(
        "other-processes-count",
        "nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses",
        _other_processes,
    )
    yield fact("persistence", "nvmlDeviceGetPersistenceMode", _persistence)
    yield fact("power-limit-w", "nvmlDeviceGetEnforcedPowerLimit", _watts)
    yield fact("application-clock-hz", "nvmlDeviceGetApplicationsClock", _hertz, _SM_CLOCK)
    yield fact("default-limit-w", "nvmlDeviceGetPowerManagementDefaultLimit", _watts)
    yield fact("mig", "nvmlDeviceGetMigMode", _mig)
    yield fact("ecc", "nvmlDeviceGetEccMode", lambda modes: (bool(modes[0]), "recorded"))
    yield fact("throttled", "nvmlDeviceGetCurrentClocksEventReasons", _throttled)


def _other_processes(computing: list[Any], drawing: list[Any]) -> tuple[int, Verdict]:
    # A process that computes and draws is in both lists.
    count = len({process.pid for process in (*computing, *drawing)} - {os.getpid()})
    return count, "fail" if count else "ok"


def _persistence(mode: int) -> tuple[bool, Verdict]:
    return bool(mode), "ok" if mode else "warn"


def _watts(milliwatts: int) -> tuple[float, Verdict]:
    return milliwatts / 1000, "recorded"


def _hertz(megahertz: int) -> tuple[float, Verdict]:
    return megahertz * 1e6, "recorded"


def _mig(modes: list[int]) -> tuple[bool, Verdict]:
    return bool(modes[0]), "fail" if modes[0] else "ok"


def _throttled(reasons: int) -> tuple[int, Verdict]:
    return int(reasons), "fail" if reasons & SLOWED else "ok"


_CHECKS = (_processor, _load, _heat, _supply, _platform)


def facts(root: Path = Path("/")) -> list[MachineFact]:
    """Everything that is recorded of a machine; what cannot be read is listed as unknown.

    Args:
        root: folder that is read in place of `/`.
    """
    files = MachineFiles(root)
    machine_facts = [fact for check in _CHECKS for fact in check(files)]
    if root == Path("/"):
        machine_facts += [*_this_machine(), *gpu_facts()]
    return machine_facts


_CONSTANT = (
    *_OF_ALL_CORES, "cpu-turbo", "smt", "cpu-online", "core-throttle-count",
    "package-throttle-count", "pswpin-pages", "pswpout-pages",
)  # fmt: skip
_CONSTANT_SUFFIXES = ("-power-limit-w", "-application-clock-hz", "-mig", "-ecc")


def changes(before: Sequence[MachineFact], after: Sequence[MachineFact]) -> list[MachineFact]:
    """Facts that must be the same after a run and are not, as failed facts."""
    values = {fact.id: fact.value for fact in before}
    advice = "keep this the same for the whole run"
    return [
        machine_fact(
            fact.id, f"{values[fact.id]} before, {fact.value} after", "fail", fact.source, advice
        )
        for fact in after
        if (fact.id in _CONSTANT or fact.id.endswith(_CONSTANT_SUFFIXES))
        and fact.id in values
        and values[fact.id] != fact.value
    ]
