"""Quantities of the machine that are watched during a run, read from /proc and /sys."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from harness.clock import anchor

_CPUS_WATCHED = 4
"""Reading a clock rate may wake its core, so only a few are read."""

Parser = Callable[[str], Iterator[tuple[str, float]]]


class _File:
    """A small file of the kernel, kept open and read from its start each time."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = 4096

    def text(self) -> str:
        data = os.pread(self._fd, self._size, 0)
        while len(data) == self._size:
            self._size *= 2
            data = os.pread(self._fd, self._size, 0)
        return data.decode("ascii", "replace")


def _opened(paths: list[Path]) -> list[_File]:
    files = []
    for path in paths:
        try:
            files.append(_File(path))
        except OSError:
            continue  # a missing file is not watched
    return files


def stat_ticks(text: str) -> Iterator[tuple[str, float]]:
    """Clock ticks since boot from `/proc/stat`, summed over all cores (`man 5 proc_stat`)."""
    values = [int(part) for part in text.partition("\n")[0].split()[1:9]]
    idle = values[3] + values[4]
    yield "cpu-busy-ticks", float(sum(values[:7]) - idle)
    yield "cpu-total-ticks", float(sum(values))
    yield "cpu-steal-ticks", float(values[7])


def pressure(resource: str, text: str) -> Iterator[tuple[str, float]]:
    """Percent of the last 10 s in which some task waited (`/proc/pressure`)."""
    for part in text.partition("\n")[0].split():
        if part.startswith("avg10="):
            yield f"pressure-{resource}-percent", float(part[6:])


def swapping(text: str) -> Iterator[tuple[str, float]]:
    """Pages moved to and from swap since boot (`/proc/vmstat`)."""
    lines = f"\n{text}\n"
    for name in ("pswpin", "pswpout"):
        _, separator, rest = lines.partition(f"\n{name} ")
        if separator:
            yield f"{name}-pages", float(rest[: rest.index("\n")])


def load(text: str) -> Iterator[tuple[str, float]]:
    """Mean number of runnable tasks over a minute (`/proc/loadavg`)."""
    yield "load-average", float(text.split(maxsplit=1)[0])


_PARSERS: dict[str, Parser] = {
    "proc/stat": stat_ticks,
    "proc/vmstat": swapping,
    "proc/loadavg": load,
    **{f"proc/pressure/{name}": partial(pressure, name) for name in ("cpu", "memory", "io")},
}


class Vitals:
    """The watched files of one machine; missing files are left out."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._parsed = [
            (file, parser) for path, parser in _PARSERS.items() for file in _opened([root / path])
        ]
        cpu = root / "sys/devices/system/cpu"
        clocks = sorted(cpu.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
        throttles = sorted(cpu.glob("cpu[0-9]*/thermal_throttle/*_throttle_count"))
        zones = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))
        sensors = sorted((root / "sys/class/hwmon").glob("hwmon*/temp1_input"))
        self._clocks = _opened(clocks[:: max(1, len(clocks) // _CPUS_WATCHED)])
        self._throttles = _opened(throttles[:_CPUS_WATCHED])
        self._heat = _opened([*zones, *sensors][:8])

    def read(self) -> Iterator[tuple[str, float]]:
        """Pairs of name and value; names carry the unit."""
        for file, parser in self._parsed:
            try:
                yield from parser(file.text())
            except (OSError, ValueError, IndexError):
                continue  # what cannot be read is missing
        clocks, throttles = _numbers(self._clocks), _numbers(self._throttles)
        if clocks:
            yield "cpu-clock-mean-hz", 1e3 * sum(clocks) / len(clocks)
        if throttles:
            yield "cpu-throttle-count", sum(throttles)
        if heat := _numbers(self._heat):
            yield "temperature-max-c", max(heat) * 1e-3
        yield from clock_offsets()


def _numbers(files: list[_File]) -> list[float]:
    values = []
    for file in files:
        try:
            values.append(float(file.text()))
        except (OSError, ValueError):
            continue
    return values


_FIRST = anchor()


def clock_offsets() -> Iterator[tuple[str, float]]:
    """How far the other clocks have moved against the monotonic one since this module loaded, s.

    They show a step of the wall clock and a suspend of the machine.
    """
    now = anchor()
    for name in ("wall", "boottime", "raw"):
        offset = getattr(now, f"{name}_ns") - now.monotonic_ns
        first = getattr(_FIRST, f"{name}_ns") - _FIRST.monotonic_ns
        yield f"clock-{name}-drift-s", (offset - first) / 1e9
