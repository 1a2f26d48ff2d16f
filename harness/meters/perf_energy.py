"""Energy of packages and memory from the kernel's `power` PMU: RAPL without files or wraps.

`perf_event_open` returns 64-bit counts in units that the PMU names (usually 2^-32 J); the kernel
corrects the hardware's wraps. It needs CAP_PERFMON or `kernel.perf_event_paranoid` of 0 or less.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.meters._files import FileSource, FilesReader, Values, file_text
from harness.meters._sensing import (
    DRAM_GAIN,
    ONLY_PSYS,
    PACKAGE_GAIN,
    RAPL_STEP_J,
    RAPL_UPDATE_S,
    check_options,
)
from harness.plugins import Availability, Domain

_PMU = "sys/bus/event_source/devices/power"
_SYSCALL = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319}
_ATTR_BYTES = 112
_POWER_MAX_W = {"package": 1500.0, "dram": 400.0, "psys": 3000.0}
_COUNT = struct.Struct("Q")

_EVENTS = {"pkg": "package", "ram": "dram", "cores": "core", "gpu": "uncore", "psys": "psys"}


@dataclass(frozen=True)
class PmuEvent:
    """One event of the PMU on one socket."""

    label: str
    """package, dram, core, uncore or psys."""
    config: int
    scale_j: float
    """Joules of one count."""
    cpu: int
    """First processor of the socket."""
    socket: int

    @property
    def name(self) -> str:
        """As `cpu-package-0-perf`, which is the same silicon as RAPL's `cpu-package-0`."""
        if self.label == "psys":
            return "cpu-psys-perf"
        prefix = "dram" if self.label == "dram" else f"cpu-{self.label}"
        return f"{prefix}-{self.socket}-perf"


def cpus(text: str) -> list[int]:
    """`0,2-4` as numbers (the PMU names one processor of each socket)."""
    numbers: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _config(text: str) -> int:
    """`event=0x02` or `event=0x02,umask=0x01` as the value of `attr.config`."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    return int(fields["event"], 16) | int(fields.get("umask", "0"), 16) << 8


def events(root: Path = Path("/")) -> Iterator[PmuEvent]:
    """The events of the PMU on every socket."""
    folder = root / _PMU
    for number, cpu in enumerate(cpus(file_text(folder / "cpumask"))):
        package = root / f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id"
        socket = int(file_text(package)) if package.is_file() else number
        for short, label in _EVENTS.items():
            file = folder / f"events/energy-{short}"
            if file.is_file() and not (label == "psys" and number):
                scale_j = float(file_text(file.with_name(f"{file.name}.scale")))
                yield PmuEvent(label, _config(file_text(file)), scale_j, cpu, socket)


def open_event(pmu_type: int, event: PmuEvent) -> int:
    """A descriptor that counts the event on its processor for all processes.

    Raises:
        OSError: the kernel refuses; EACCES means a missing permission.
    """
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"perf_event_open has no known number on {platform.machine()}")
    attr = ctypes.create_string_buffer(_ATTR_BYTES)
    struct.pack_into("IIQ", attr, 0, pmu_type, _ATTR_BYTES, event.config)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(number, attr, -1, event.cpu, -1, 8))  # 8: close on exec
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


class PerfReader(FilesReader):
    """Open counters of the PMU."""

    def __init__(self, opened: Sequence[tuple[PmuEvent, int]]) -> None:
        names = {event.name for event, _ in opened}
        super().__init__([_source(event, names) for event, _ in opened])
        self._fds = [[fd] for _, fd in opened]

    def _read(self, fd: int) -> bytes:
        return os.read(fd, 8)


def _parents(event: PmuEvent, names: set[str]) -> tuple[str, ...]:
    """RAPL's domain of the same silicon, and the domains that contain this one."""
    twin = (event.name.removesuffix("-perf"),)
    psys = ("cpu-psys", "cpu-psys-perf") if "cpu-psys-perf" in names else ()
    if event.label == "psys":
        return twin
    if event.label in ("package", "dram"):
        return twin + psys
    package = f"cpu-package-{event.socket}"
    return (*twin, package, f"{package}-perf", *psys)


def _source(event: PmuEvent, names: set[str]) -> FileSource:
    is_dram = event.label == "dram"
    domain = Domain(
        name=event.name,
        kind="dram" if is_dram else "cpu",
        method="counter",
        meter="perf-energy",
        source=f"perf_event_open, PMU power, energy of {event.label}, processor {event.cpu}",
        parents=_parents(event, names),
        resolution_j=max(RAPL_STEP_J, event.scale_j),
        update_period_s=RAPL_UPDATE_S,
        power_low_w=0.0,
        power_high_w=_POWER_MAX_W.get(event.label, _POWER_MAX_W["package"]),
        gain_error_ratio=DRAM_GAIN if is_dram else PACKAGE_GAIN,
    )
    return FileSource(domain, (), partial(_joules, event.scale_j))


def _joules(scale_j: float, counts: Sequence[bytes]) -> Values:
    if len(counts[0]) != _COUNT.size:
        raise ValueError("the kernel gave no count")
    return _COUNT.unpack(counts[0])[0] * scale_j, None


def _moves(pmu_type: int, event: PmuEvent) -> bool:
    """Whether a counter moved within a tenth of a second; True if that is not known."""
    try:
        descriptor = open_event(pmu_type, event)
    except OSError:
        return True
    try:
        before = os.read(descriptor, 8)
        SystemClock().sleep_until(now_ns() + NS_PER_S // 10)
        return os.read(descriptor, 8) != before
    finally:
        os.close(descriptor)


class PerfMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("cpu", "dram")
    stands_in_for = "rapl"
    """Where powercap can be read, this would only repeat its counters."""

    def probe(self) -> Availability:
        """Look for the PMU and open one event."""
        return self._probe(Path("/"))

    def _probe(self, root: Path) -> Availability:
        try:
            listed = list(events(root))
            pmu_type = int(file_text(root / _PMU / "type"))
        except (OSError, ValueError, KeyError):
            reason = f"/{_PMU} is not there"
            advice = "load the kernel module rapl; most virtual machines hide these counters"
            return Availability(ok=False, reason=reason, advice=advice)
        if listed and all(event.label == "psys" for event in listed):
            dead = "" if _moves(pmu_type, listed[0]) else "; that counter is dead: it does not move"
            return Availability(ok=False, reason=f"the PMU {ONLY_PSYS}{dead}")
        if not listed:
            return Availability(ok=False, reason="the power PMU names no energy event")
        try:
            os.close(open_event(pmu_type, listed[0]))
        except OSError as error:
            reason = f"perf_event_open was refused: {error.strerror}"
            advice = "sudo sysctl kernel.perf_event_paranoid=0, or give the process CAP_PERFMON"
            return Availability(ok=False, reason=reason, advice=advice)
        return Availability(ok=True, reason=", ".join(sorted(event.name for event in listed)))

    def open(self, options: Mapping[str, str]) -> PerfReader:
        """Open every event of every socket; it has no options."""
        check_options("perf-energy", options, ())
        availability = self.probe()
        if not availability.ok:
            raise OSError(availability.reason)
        pmu_type = int(file_text(Path("/") / _PMU / "type"))
        return PerfReader([(event, open_event(pmu_type, event)) for event in events()])


METER = PerfMeter()
