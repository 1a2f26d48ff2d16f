"""Whether the machine is fit to measure on: facts before and after a run, each with its source.

For an energy contest nothing is forced: the governor and the clocks are part of the contest. What
is asked for is that they stay the same, and that nothing else runs. Unknown is a verdict of its
own and never counts as a pass.
"""

import ctypes
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir

from harness.measure.machine import virtualised
from harness.measure.watch import watched
from harness.records import MachineFact
from harness.records.machine import Verdict

__all__ = ["changes", "facts", "watched"]

Value = str | int | float | bool | None

_LOAD_PER_CPU = 0.1
_PRESSURE_PERCENT = 5.0
_HOT_C = 85.0
_FREE_BYTES = 2 << 30
_CPU = "sys/devices/system/cpu"

_STABLE_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
_STA_UNSYNC = 0x0040


class Look:
    """Reads the files of a machine below a root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, path: str) -> str | None:
        """Content of a file, None where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def texts(self, pattern: str) -> list[str]:
        """Contents of all files that fit, in the order of their names."""
        found = (self.text(str(path.relative_to(self.root))) for path in self.paths(pattern))
        return [text for text in found if text is not None]

    def paths(self, pattern: str) -> list[Path]:
        """Files that fit."""
        return sorted(self.root.glob(pattern))

    def number(self, path: str) -> float | None:
        """A file's number, None where there is none."""
        try:
            return float((self.text(path) or "").split()[0])
        except (ValueError, IndexError):
            return None


def _fact(name: str, value: Value, verdict: Verdict, source: str, advice: str = "") -> MachineFact:
    if value is None:
        verdict = "unknown"
    told = "" if verdict in ("ok", "recorded") else advice
    return MachineFact(id=name, value=value, verdict=verdict, source=f"/{source}", advice=told)


def _recorded(name: str, value: Value, source: str) -> MachineFact:
    return _fact(name, value, "recorded", source)


def _joined(texts: Sequence[str]) -> str | None:
    """The one value of all cores, or all of them where they differ."""
    return ", ".join(sorted(set(texts))) or None


def _frequency(look: Look) -> Iterator[MachineFact]:
    for name, file in (
        ("cpu-governor", "scaling_governor"),
        ("cpu-driver", "scaling_driver"),
        ("cpu-energy-preference", "energy_performance_preference"),
    ):
        pattern = f"{_CPU}/cpu[0-9]*/cpufreq/{file}"
        yield _recorded(name, _joined(look.texts(pattern)), pattern)
    clocks = [
        float(text) * 1e3 for text in look.texts(f"{_CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq")
    ]
    source = f"{_CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq"
    if not clocks:
        source = "proc/cpuinfo"
        found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", look.text(source) or "", re.MULTILINE)
        clocks = [float(item) * 1e6 for item in found]
    yield _recorded("cpu-clock-hz", sum(clocks) / len(clocks) if clocks else None, source)


def _turbo(look: Look) -> Iterator[MachineFact]:
    no_turbo = f"{_CPU}/intel_pstate/no_turbo"
    boost = f"{_CPU}/cpufreq/boost"
    if (text := look.text(no_turbo)) is not None:
        yield _recorded("cpu-turbo", text == "0", no_turbo)
    else:
        text = look.text(boost)
        yield _recorded("cpu-turbo", None if text is None else text == "1", boost)


def _cores(look: Look) -> Iterator[MachineFact]:
    for name, path in (
        ("smt", f"{_CPU}/smt/control"),
        ("cpu-isolated", f"{_CPU}/isolated"),
        ("cpu-online", f"{_CPU}/online"),
        ("cpu-allowed", "sys/fs/cgroup/cpuset.cpus.effective"),
        ("transparent-huge-pages", "sys/kernel/mm/transparent_hugepage/enabled"),
        ("address-randomisation", "proc/sys/kernel/randomize_va_space"),
    ):
        yield _recorded(name, look.text(path), path)
    yield _recorded("kernel-options", _kernel_options(look), "proc/cmdline")
    microcode = re.search(r"^microcode\s*:\s*(\S+)", look.text("proc/cpuinfo") or "", re.MULTILINE)
    yield _recorded("microcode", microcode[1] if microcode else None, "proc/cpuinfo")
    source = f"{_CPU}/vulnerabilities"
    states = look.texts(f"{source}/*")
    mitigated = sum(text.startswith("Mitigation") for text in states)
    yield _recorded("mitigations-count", mitigated if states else None, source)


_OPTIONS = ("mitigations", "isolcpus", "nohz_full", "intel_pstate", "amd_pstate", "idle", "nosmt")


def _kernel_options(look: Look) -> str | None:
    """Boot options that bear on speed and power; the rest of the line is nobody's business."""
    line = look.text("proc/cmdline")
    if line is None:
        return None
    return " ".join(part for part in line.split() if part.partition("=")[0] in _OPTIONS)


def _load(look: Look) -> Iterator[MachineFact]:
    load = look.number("proc/loadavg")
    limit = max(_LOAD_PER_CPU * (os.cpu_count() or 1), 0.5)
    advice = "end other work on this machine, or wait until the load has gone down"
    verdict: Verdict = "fail" if (load or 0.0) > limit else "ok"
    yield _fact("load-average", load, verdict, "proc/loadavg", advice)
    for name in ("cpu", "memory", "io"):
        source = f"proc/pressure/{name}"
        found = re.search(r"^some avg10=([\d.]+)", look.text(source) or "", re.MULTILINE)
        value = float(found[1]) if found else None
        verdict = "fail" if (value or 0.0) > _PRESSURE_PERCENT else "ok"
        yield _fact(f"pressure-{name}-percent", value, verdict, source, advice)
    yield _steal(look)


def _steal(look: Look) -> MachineFact:
    """Share of time since boot that the hypervisor gave to others."""
    fields = (look.text("proc/stat") or "").partition("\n")[0].split()
    ticks = [int(field) for field in fields[1:9]] if fields[:1] == ["cpu"] else []
    whole = len(ticks) == 8  # noqa: PLR2004 - user to steal, `man 5 proc_stat`
    ratio = ticks[7] / max(1, sum(ticks)) if whole else None
    verdict: Verdict = "warn" if (ratio or 0.0) > 0.01 else "ok"  # noqa: PLR2004 - one percent
    advice = "other guests share these processors; ask for dedicated ones"
    return _fact("cpu-steal-ratio", ratio, verdict, "proc/stat", advice)


def _swap(look: Look) -> Iterator[MachineFact]:
    text = look.text("proc/swaps")
    areas = None if text is None else max(0, len(text.splitlines()) - 1)
    advice = "swapoff -a keeps the memory's traffic out of the run"
    yield _fact("swap-areas-count", areas, "warn" if areas else "ok", "proc/swaps", advice)
    for name in ("pswpin", "pswpout"):
        found = re.search(rf"^{name} (\d+)", look.text("proc/vmstat") or "", re.MULTILINE)
        yield _recorded(f"{name}-pages", int(found[1]) if found else None, "proc/vmstat")


def _heat(look: Look) -> Iterator[MachineFact]:
    for kind in ("core", "package"):
        pattern = f"{_CPU}/cpu[0-9]*/thermal_throttle/{kind}_throttle_count"
        counts = [int(text) for text in look.texts(pattern)]
        yield _recorded(f"{kind}-throttle-count", sum(counts) if counts else None, pattern)
    pattern = "sys/class/thermal/thermal_zone*/temp"
    temperatures = look.texts(pattern) or look.texts("sys/class/hwmon/hwmon*/temp*_input")
    hottest = max((float(text) / 1000 for text in temperatures), default=None)
    verdict: Verdict = "warn" if (hottest or 0.0) > _HOT_C else "ok"
    yield _fact("temperature-max-c", hottest, verdict, pattern, "let the machine cool down first")


def _supply(look: Look) -> Iterator[MachineFact]:
    pattern = "sys/class/power_supply"
    folders = [path.parent.relative_to(look.root) for path in look.paths(f"{pattern}/*/type")]
    # The battery of a mouse or a headset says nothing of this machine.
    folders = [folder for folder in folders if look.text(f"{folder}/scope") != "Device"]
    if not folders:
        yield _recorded("power-supply", "none listed, as on servers", pattern)
        return
    discharging = any(look.text(f"{folder}/status") == "Discharging" for folder in folders)
    mains = [folder for folder in folders if look.text(f"{folder}/type") == "Mains"]
    unplugged = bool(mains) and all(look.text(f"{main}/online") == "0" for main in mains)
    value = "battery" if discharging or unplugged else "mains"
    advice = "plug the machine in: on battery its power limits differ"
    yield _fact("power-supply", value, "fail" if value == "battery" else "ok", pattern, advice)


def _clock(look: Look) -> Iterator[MachineFact]:
    source = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    value = look.text(source)
    verdict: Verdict = "ok" if value in _STABLE_CLOCKS else "warn"
    yield _fact("clocksource", value, verdict, source, "a slow clock source disturbs the sampler")
    if look.root == Path("/"):
        yield _synchronised()


def _synchronised() -> MachineFact:
    """Whether the kernel's clock follows a time server (`man 2 adjtimex`)."""
    buffer = (ctypes.c_long * 64)()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    value = None if state < 0 else not status & _STA_UNSYNC
    advice = "wall time is only an anchor here, but external meters need it: start chrony"
    return MachineFact(
        id="clock-synchronised",
        value=value,
        verdict="unknown" if value is None else "ok" if value else "warn",
        source="adjtimex(2)",
        advice="" if value else advice,
    )


def _virtual(look: Look) -> Iterator[MachineFact]:
    value = virtualised(look.root)
    advice = "a virtual machine hides energy counters and shares its processors"
    yield _fact("virtualised", value, "warn" if value else "ok", "proc/cpuinfo", advice)
    for name, file in (("cgroup-cpu-limit", "cpu.max"), ("cgroup-memory-limit", "memory.max")):
        limit, path = _group_limit(look, file)
        verdict: Verdict = "ok" if (limit or "").startswith("max") else "warn"
        advice = "a limit on this container is part of the machine that is measured"
        yield _fact(name, limit, verdict, path, advice)


def _group_limit(look: Look, file: str) -> tuple[str | None, str]:
    """The first limit from this process's own group upwards, else one that says there is none.

    The root of the tree has no such file on a plain machine, only within a container.
    """
    found = re.search(r"^0::/(.*)$", look.text("proc/self/cgroup") or "", re.MULTILINE)
    folder = Path("sys/fs/cgroup") / (found[1] if found and ".." not in found[1] else "")
    seen: tuple[str | None, str] = (None, f"sys/fs/cgroup/{file}")
    for group in (folder, *folder.parents)[: len(folder.parts) - 2]:
        limit = look.text(f"{group}/{file}")
        if limit is not None and not limit.startswith("max"):
            return limit, f"{group}/{file}"
        if limit is not None and seen[0] is None:
            seen = (limit, f"{group}/{file}")
    return seen


def _counters(look: Look) -> Iterator[MachineFact]:
    pattern = "sys/class/powercap/intel-rapl:*/energy_uj"
    readable = sum(os.access(path, os.R_OK) for path in look.paths(pattern))
    there = len(look.paths(pattern))
    value = f"{readable} of {there} zones readable" if there else "no zone"
    verdict: Verdict = "ok" if there and readable == there else "warn"
    yield _fact("rapl", value, verdict, pattern, "see the line of the meter rapl")


def _disk(look: Look) -> Iterator[MachineFact]:
    if look.root != Path("/"):
        return
    places = {"working-folder-free-bytes": Path.cwd(), "tmp-free-bytes": Path(gettempdir())}
    for name, path in places.items():
        free = shutil.disk_usage(path).free
        verdict: Verdict = "fail" if free < _FREE_BYTES else "ok"
        advice = "" if verdict == "ok" else "make room, at least 2 GiB"
        yield MachineFact(id=name, value=free, verdict=verdict, source="statvfs(3)", advice=advice)


_CHECKS: tuple[Callable[[Look], Iterator[MachineFact]], ...] = (
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
    _disk,
)


def facts(root: Path = Path("/")) -> list[MachineFact]:
    """Everything that can be looked up; what cannot is in the list too, as unknown.

    Args:
        root: folder that stands for `/`.
    """
    look = Look(root)
    found = [fact for check in _CHECKS for fact in check(look)]
    if root == Path("/"):
        from harness.measure.gpu import gpu_facts

        found += gpu_facts()
    return found


_MUST_STAY = frozenset(
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


def changes(before: Sequence[MachineFact], after: Sequence[MachineFact]) -> list[MachineFact]:
    """Facts that must be the same after a run and are not, as failed facts."""
    then = {fact.id: fact for fact in before}
    return [
        fact.model_copy(
            update={
                "value": f"{then[fact.id].value} before, {fact.value} after",
                "verdict": "fail",
                "advice": "keep this the same for the whole run",
            }
        )
        for fact in after
        if _must_stay(fact.id) and fact.id in then and then[fact.id].value != fact.value
    ]


def _must_stay(name: str) -> bool:
    return name in _MUST_STAY or name.endswith(
        ("-power-limit-w", "-application-clock-hz", "-mig", "-ecc")
    )
