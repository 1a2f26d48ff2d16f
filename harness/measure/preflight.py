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

from harness.measure.machine import virtualised
from harness.records import MachineFact
from harness.records.machine import Verdict

Value = str | int | float | bool | None

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


def _fact(name: str, value: Value, verdict: Verdict, source: str, advice: str = "") -> MachineFact:
    if value is None:
        verdict = "unknown"
    if verdict in ("ok", "recorded"):
        advice = ""
    return MachineFact(id=name, value=value, verdict=verdict, source=source, advice=advice)


def _recorded(name: str, value: Value, path: str) -> MachineFact:
    return _fact(name, value, "recorded", f"/{path}")


def _failed_if(failed: bool, verdict: Verdict = "fail") -> Verdict:  # noqa: FBT001 - it is a test
    return verdict if failed else "ok"


def _frequency(files: MachineFiles) -> Iterator[MachineFact]:
    for name, file in (
        ("cpu-governor", "scaling_governor"),
        ("cpu-driver", "scaling_driver"),
        ("cpu-energy-preference", "energy_performance_preference"),
    ):
        pattern = f"{_CPU}/cpu[0-9]*/cpufreq/{file}"
        # The one value of all cores, or all values where they differ.
        yield _recorded(name, ", ".join(sorted(set(files.texts(pattern)))) or None, pattern)
    source = f"{_CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq"
    clocks = [float(text) * 1e3 for text in files.texts(source)]
    if not clocks:
        source = "proc/cpuinfo"
        lines = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", files.text(source) or "", re.MULTILINE)
        clocks = [float(text) * 1e6 for text in lines]
    yield _recorded("cpu-clock-hz", sum(clocks) / len(clocks) if clocks else None, source)


def _turbo(files: MachineFiles) -> Iterator[MachineFact]:
    no_turbo, boost = f"{_CPU}/intel_pstate/no_turbo", f"{_CPU}/cpufreq/boost"
    if (text := files.text(no_turbo)) is not None:
        yield _recorded("cpu-turbo", text == "0", no_turbo)
    else:
        text = files.text(boost)
        yield _recorded("cpu-turbo", None if text is None else text == "1", boost)


_OPTIONS = ("mitigations", "isolcpus", "nohz_full", "intel_pstate", "amd_pstate", "idle", "nosmt")
"""Boot options that affect speed and power; the others are not recorded."""


def _cores(files: MachineFiles) -> Iterator[MachineFact]:
    for name, path in (
        ("smt", f"{_CPU}/smt/control"),
        ("cpu-isolated", f"{_CPU}/isolated"),
        ("cpu-online", f"{_CPU}/online"),
        ("cpu-allowed", "sys/fs/cgroup/cpuset.cpus.effective"),
        ("transparent-huge-pages", "sys/kernel/mm/transparent_hugepage/enabled"),
        ("address-randomisation", "proc/sys/kernel/randomize_va_space"),
    ):
        yield _recorded(name, files.text(path), path)
    line = files.text("proc/cmdline")
    options = [part for part in (line or "").split() if part.partition("=")[0] in _OPTIONS]
    yield _recorded("kernel-options", None if line is None else " ".join(options), "proc/cmdline")
    microcode = files.match(r"^microcode\s*:\s*(\S+)", "proc/cpuinfo")
    yield _recorded("microcode", microcode, "proc/cpuinfo")
    source = f"{_CPU}/vulnerabilities"
    states = files.texts(f"{source}/*")
    mitigated = sum(text.startswith("Mitigation") for text in states)
    yield _recorded("mitigations-count", mitigated if states else None, source)


def _load(files: MachineFiles) -> Iterator[MachineFact]:
    text = files.match(r"^([\d.]+)", "proc/loadavg")
    load = None if text is None else float(text)
    limit = max(_LOAD_PER_CPU * (os.cpu_count() or 1), 0.5)
    advice = "end other work on this machine, or wait until the load has gone down"
    verdict = _failed_if((load or 0.0) > limit)
    yield _fact("load-average", load, verdict, "/proc/loadavg", advice)
    for name in ("cpu", "memory", "io"):
        text = files.match(r"^some avg10=([\d.]+)", f"proc/pressure/{name}")
        value = float(text) if text else None
        verdict = _failed_if((value or 0.0) > _PRESSURE_PERCENT)
        yield _fact(f"pressure-{name}-percent", value, verdict, f"/proc/pressure/{name}", advice)
    fields = (files.text("proc/stat") or "").partition("\n")[0].split()
    ticks = [int(field) for field in fields[1 : _STAT_FIELDS + 1]] if fields[:1] == ["cpu"] else []
    ratio = ticks[-1] / max(1, sum(ticks)) if len(ticks) == _STAT_FIELDS else None
    verdict = _failed_if((ratio or 0.0) > _STEAL_RATIO, "warn")
    advice = "other guests share these processors; ask for dedicated ones"
    yield _fact("cpu-steal-ratio", ratio, verdict, "/proc/stat", advice)


def _swap(files: MachineFiles) -> Iterator[MachineFact]:
    text = files.text("proc/swaps")
    areas = None if text is None else max(0, len(text.splitlines()) - 1)
    advice = "swapoff -a keeps swap traffic out of the run"
    yield _fact("swap-areas-count", areas, _failed_if(bool(areas), "warn"), "/proc/swaps", advice)
    for name in ("pswpin", "pswpout"):
        pages = files.match(rf"^{name} (\d+)", "proc/vmstat")
        yield _recorded(f"{name}-pages", int(pages) if pages else None, "proc/vmstat")


def _heat(files: MachineFiles) -> Iterator[MachineFact]:
    for kind in ("core", "package"):
        pattern = f"{_CPU}/cpu[0-9]*/thermal_throttle/{kind}_throttle_count"
        counts = [int(text) for text in files.texts(pattern)]
        yield _recorded(f"{kind}-throttle-count", sum(counts) if counts else None, pattern)
    pattern = "sys/class/thermal/thermal_zone*/temp"
    temperatures = files.texts(pattern) or files.texts("sys/class/hwmon/hwmon*/temp*_input")
    hottest = max((float(text) / 1000 for text in temperatures), default=None)
    verdict = _failed_if((hottest or 0.0) > _HOT_C, "warn")
    yield _fact("temperature-max-c", hottest, verdict, f"/{pattern}", "let the machine cool down")


def _supply(files: MachineFiles) -> Iterator[MachineFact]:
    pattern = "sys/class/power_supply"
    folders = [path.parent.relative_to(files.root) for path in files.paths(f"{pattern}/*/type")]
    # The battery of a mouse or a headset says nothing about this machine.
    folders = [folder for folder in folders if files.text(f"{folder}/scope") != "Device"]
    if not folders:
        yield _recorded("power-supply", "none listed, as on servers", pattern)
        return
    discharging = any(files.text(f"{folder}/status") == "Discharging" for folder in folders)
    mains = [folder for folder in folders if files.text(f"{folder}/type") == "Mains"]
    unplugged = bool(mains) and all(files.text(f"{main}/online") == "0" for main in mains)
    battery = discharging or unplugged
    advice = "connect the power supply: on battery the power limits differ"
    value = "battery" if battery else "mains"
    yield _fact("power-supply", value, _failed_if(battery), f"/{pattern}", advice)


def _clock(files: MachineFiles) -> Iterator[MachineFact]:
    source = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    value = files.text(source)
    verdict = _failed_if(value not in _STABLE_CLOCKS, "warn")
    advice = "a slow clock source disturbs the sampler"
    yield _fact("clocksource", value, verdict, f"/{source}", advice)


def _virtual(files: MachineFiles) -> Iterator[MachineFact]:
    value = virtualised(files.root)
    advice = "a virtual machine hides energy counters and shares its processors"
    verdict = _failed_if(bool(value), "warn")
    yield _fact("virtualised", value, verdict, "/proc/cpuinfo", advice)
    for name, file in (("cgroup-cpu-limit", "cpu.max"), ("cgroup-memory-limit", "memory.max")):
        limit, path = _group_limit(files, file)
        verdict = _failed_if(not (limit or "").startswith("max"), "warn")
        advice = "a limit on this container is part of the machine that is measured"
        yield _fact(name, limit, verdict, f"/{path}", advice)


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


def _counters(files: MachineFiles) -> Iterator[MachineFact]:
    pattern = "sys/class/powercap/intel-rapl:*/energy_uj"
    paths = files.paths(pattern)
    readable = sum(os.access(path, os.R_OK) for path in paths)
    value = f"{readable} of {len(paths)} zones readable" if paths else "no zone"
    verdict = _failed_if(not paths or readable < len(paths), "warn")
    yield _fact("rapl", value, verdict, f"/{pattern}", "see the line of the meter rapl")


_CHECKS: tuple[Callable[[MachineFiles], Iterator[MachineFact]], ...] = (
    _frequency,
    _turbo,
    _cores,
    _load,
    _swap,
    _heat,
    _supply,
    _clock,
    _virtual,
    _counters,
)


def _this_machine() -> Iterator[MachineFact]:
    """Facts that no file states."""
    buffer = (ctypes.c_long * 64)()
    # Whether the kernel's clock follows a time server (`man 2 adjtimex`).
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    value = None if state < 0 else not status & _STA_UNSYNC
    advice = "wall time is only an anchor here, but external meters need it: start chrony"
    yield _fact("clock-synchronised", value, _failed_if(not value, "warn"), "adjtimex(2)", advice)
    folders = {"working-folder-free-bytes": Path.cwd(), "tmp-free-bytes": Path(gettempdir())}
    for name, folder in folders.items():
        free = shutil.disk_usage(folder).free
        advice = "make room, at least 2 GiB"
        yield _fact(name, free, _failed_if(free < _FREE_BYTES), "statvfs(3)", advice)


def facts(root: Path = Path("/")) -> list[MachineFact]:
    """Everything that is recorded of a machine; what cannot be read is listed as unknown.

    Args:
        root: folder that is read in place of `/`.
    """
    files = MachineFiles(root)
    machine_facts = [fact for check in _CHECKS for fact in check(files)]
    if root == Path("/"):
        from harness.measure.gpu import gpu_facts

        machine_facts += [*_this_machine(), *gpu_facts()]
    return machine_facts


_CONSTANT = frozenset(
    {
        "cpu-governor",
        "cpu-driver",
        "cpu-energy-preference",
        "cpu-turbo",
        "smt",
        "cpu-online",
        "core-throttle-count",
        "package-throttle-count",
        "pswpin-pages",
        "pswpout-pages",
    }
)
_CONSTANT_SUFFIXES = ("-power-limit-w", "-application-clock-hz", "-mig", "-ecc")


def changes(before: Sequence[MachineFact], after: Sequence[MachineFact]) -> list[MachineFact]:
    """Facts that must be the same after a run and are not, as failed facts."""
    values = {fact.id: fact.value for fact in before}
    return [
        _fact(
            fact.id,
            f"{values[fact.id]} before, {fact.value} after",
            "fail",
            fact.source,
            "keep this the same for the whole run",
        )
        for fact in after
        if (fact.id in _CONSTANT or fact.id.endswith(_CONSTANT_SUFFIXES))
        and fact.id in values
        and values[fact.id] != fact.value
    ]
