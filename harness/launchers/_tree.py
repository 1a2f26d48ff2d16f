"""The processes below one process, and their CPU time and memory."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

NS_PER_S = 1_000_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# The time of a reaped child is shown in ticks, user and system time rounded down separately: a
# smaller decrease is rounding and not a lost process.
_ROUNDING_S = 5 / _TICKS_PER_S
_TRIES = 4
_STOPS = 50


class ProcessStat(NamedTuple):
    """One process, as its `stat` file shows it."""

    pid: int
    parent: int
    session: int
    started_ticks: int
    """Ticks since boot; with the pid it identifies a process."""
    reaped_s: float
    """CPU seconds of reaped children, in whole ticks."""


def _read(path: str) -> bytes:
    """Read a file of `/proc` with plain calls, since some callers must start fast.

    Raises:
        OSError: the file does not exist or may not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while more := os.read(descriptor, 65536):
            text += more
        return text
    finally:
        os.close(descriptor)


def process_stat(pid: int) -> ProcessStat | None:
    """The process with a number; None if there is none."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The program's name stands in parentheses and may contain parentheses itself.
    fields = text[text.rindex(b")") + 2 :].split()
    reaped = (int(fields[13]) + int(fields[14])) / _TICKS_PER_S
    return ProcessStat(pid, int(fields[1]), int(fields[3]), int(fields[19]), reaped)


def all_processes() -> Iterator[ProcessStat]:
    """All processes that `/proc` shows."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - three times as fast as Path.iterdir
        if name.isdigit() and (process := process_stat(int(name))):
            yield process


def scan_descendants(root: int) -> list[ProcessStat]:
    """The process `root` and all below it, from all processes; empty if `root` has ended."""
    children: dict[int, list[ProcessStat]] = {}
    tree: list[ProcessStat] = []
    for process in all_processes():
        children.setdefault(process.parent, []).append(process)
        if process.pid == root:
            tree.append(process)
    for process in tree:
        tree.extend(children.get(process.pid, ()))
    return tree


def _children(pid: int) -> Iterator[int]:
    """Children of all threads of a process; one may be missed while others start or end.

    Raises:
        FileNotFoundError: the kernel was built without these files, or the process has ended.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone
        text = _read(f"/proc/{pid}/task/{thread}/children")
        yield from (int(word) for word in text.split())


def descendants(root: int) -> list[ProcessStat]:
    """As `scan_descendants`, but faster where the kernel lists the children of a process."""
    tree = [top] if (top := process_stat(root)) else []
    try:
        for process in tree:
            tree.extend(child for pid in _children(process.pid) if (child := process_stat(pid)))
    except OSError:
        return scan_descendants(root)
    return tree


def own_cpu_s(pid: int) -> float:
    """CPU seconds of all threads of one process, to the nanosecond; 0 if it has ended.

    The clock id is the kernel's `MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)`.
    """
    try:
        clock = (~pid << 3) | 2
        return time.clock_gettime_ns(clock) / NS_PER_S  # noqa: TID251 - a CPU clock, no stamp
    except OSError:
        return 0.0


def _status_word(pid: int, key: bytes) -> bytes:
    """The first word after a key in the `status` file of a process; empty if there is none."""
    try:
        words = _read(f"/proc/{pid}/status").partition(key)[2].split(None, 1)
    except OSError:
        return b""
    return words[0] if words else b""


def peak_rss_bytes(pid: int) -> int:
    """Largest resident set that a process has had so far; 0 if it has ended."""
    return int(_status_word(pid, b"VmHWM:") or b"0") * 1024


def ignores_children(pid: int) -> bool:
    """Whether a process ignores SIGCHLD, so that the kernel drops its children's CPU time."""
    return bool(int(_status_word(pid, b"SigIgn:") or b"0", 16) >> (signal.SIGCHLD - 1) & 1)


def kill_below(root: int) -> None:
    """SIGKILL all processes below one process.

    All are stopped first, until no new one appears, so that forking does not outrun the signals.
    """
    stopped: set[int] = set()
    for _ in range(_STOPS):
        new = {process.pid for process in scan_descendants(root)} - stopped - {root}
        if not new:
            break
        for pid in new:
            _send(pid, signal.SIGSTOP)
        stopped |= new
    for pid in stopped:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _identities(tree: list[ProcessStat]) -> dict[tuple[int, int], float]:
    return {(process.pid, process.started_ticks): process.reaped_s for process in tree}


class TreeMeter:
    """Sums the CPU time of a process and all below it, repeatedly.

    The sum never falls. A process that ends without being waited for (because its parent ignores
    SIGCHLD, or because the kernel ended the namespace) disappears from the kernel's figures: what
    the last call counted of it stays in the sum; what it used after that call is lost.
    """

    def __init__(self, root: int, *, ours: bool = False) -> None:
        """Measure `root` and all below it; with `ours` the memory of `root` is left out."""
        self.root = root
        self._ours = ours
        self.peak_rss_bytes = 0
        """Largest resident set of any single process, as of `update_peaks`."""
        self.total_s = 0.0
        """Last result of `cpu_s`."""
        self.lossy = False
        """Whether a process was seen that ignores SIGCHLD."""
        self._lost_s = 0.0
        self._last_s = 0.0

    def cpu_s(self) -> float:
        """CPU seconds so far of all processes, living and reaped; to about 10 ms."""
        sum_s, stable = self._sum()
        if stable:
            if (decrease_s := self._last_s - sum_s) > _ROUNDING_S:
                self._lost_s += decrease_s
            self._last_s = sum_s
        self.total_s = max(self.total_s, sum_s + self._lost_s)
        return self.total_s

    def _sum(self) -> tuple[float, bool]:
        """The present sum, and whether no process started, ended or was reaped meanwhile."""
        tree = descendants(self.root)
        self.lossy = self.lossy or any(ignores_children(process.pid) for process in tree)
        own_s = 0.0
        for _ in range(_TRIES):
            own_s = sum(own_cpu_s(process.pid) for process in tree)
            after = descendants(self.root)
            if tree and _identities(tree) == _identities(after):
                return own_s + sum(process.reaped_s for process in tree), True
            tree = after
        return own_s, False

    def update_peaks(self) -> None:
        """Update the largest resident set from the living processes."""
        for process in descendants(self.root)[1 if self._ours else 0 :]:
            self.peak_rss_bytes = max(self.peak_rss_bytes, peak_rss_bytes(process.pid))
