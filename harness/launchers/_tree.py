"""The processes below one process: who they are, and what CPU time and memory they took."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

NS_PER_S = 1_000_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# A reaped child's time is shown in ticks, user and system cut off apart: what is missing below
# this is rounding, not a lost process.
_ROUNDING_S = 5 / _TICKS_PER_S
_TRIES = 4
_STOPS = 50


class ProcessStat(NamedTuple):
    """One process, as its `stat` file shows it."""

    pid: int
    parent: int
    session: int
    started_ticks: int
    """Since boot; with the pid it names a process for ever."""
    reaped_s: float
    """CPU seconds of children that ended and were waited for, in whole ticks."""


def _read(path: str) -> bytes:
    """A file of `/proc`, whole; plain calls, since this runs in processes that must start fast.

    Raises:
        OSError: it is not there, or not ours to read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while more := os.read(descriptor, 65536):
            text += more
        return text
    finally:
        os.close(descriptor)


def member(pid: int) -> ProcessStat | None:
    """The process of that number, None where there is none (or no longer)."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold anything, parentheses too.
    fields = text[text.rindex(b")") + 2 :].split()
    reaped = (int(fields[13]) + int(fields[14])) / _TICKS_PER_S
    return ProcessStat(pid, int(fields[1]), int(fields[3]), int(fields[19]), reaped)


def everyone() -> Iterator[ProcessStat]:
    """All processes that `/proc` shows."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - three times as fast as Path.iterdir
        if name.isdigit() and (found := member(int(name))):
            yield found


def descendants(root: int) -> list[ProcessStat]:
    """The process `root`, then all below it; empty where it is gone."""
    below: dict[int, list[ProcessStat]] = {}
    top: list[ProcessStat] = []
    for item in everyone():
        below.setdefault(item.parent, []).append(item)
        if item.pid == root:
            top.append(item)
    for item in top:
        top.extend(below.get(item.pid, ()))
    return top


def own_cpu_s(pid: int) -> float:
    """CPU seconds of one process, all threads, to the nanosecond; 0 where it is gone.

    The clock id is the kernel's `MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)`.
    """
    try:
        clock = (~pid << 3) | 2
        return time.clock_gettime_ns(clock) / NS_PER_S  # noqa: TID251 - a CPU clock, no stamp
    except OSError:
        return 0.0


def peak_rss_bytes(pid: int) -> int:
    """Largest resident set that a process has had so far; 0 where it is gone."""
    try:
        status = _read(f"/proc/{pid}/status")
    except OSError:
        return 0
    found = status.partition(b"VmHWM:")[2].split(None, 1)
    return int(found[0]) * 1024 if found else 0


def ignores_children(pid: int) -> bool:
    """Whether a process lets the kernel forget its children, CPU seconds and all, as they end."""
    try:
        status = _read(f"/proc/{pid}/status")
    except OSError:
        return False
    found = status.partition(b"SigIgn:")[2].split(None, 1)
    return bool(found) and bool(int(found[0], 16) >> (signal.SIGCHLD - 1) & 1)


def end_below(root: int) -> None:
    """SIGKILL everything below a process, which itself stays.

    All are stopped first, until nobody new appears: so forking faster than they are killed does
    not help them.
    """
    stopped: set[int] = set()
    for _ in range(_STOPS):
        fresh = {descendant.pid for descendant in descendants(root)} - stopped - {root}
        if not fresh:
            break
        for pid in fresh:
            _send(pid, signal.SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _children(pid: int) -> Iterator[int]:
    """Children of all threads of a process; quick, but one may be missed while others come and go.

    Raises:
        FileNotFoundError: the kernel was built without these files, or the process is gone.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone
        text = _read(f"/proc/{pid}/task/{thread}/children")
        yield from (int(word) for word in text.split())


def glance(root: int) -> list[ProcessStat]:
    """As `descendants`, without looking at everybody on the machine where the kernel helps."""
    found = [top] if (top := member(root)) else []
    try:
        for item in found:
            found.extend(below for pid in _children(item.pid) if (below := member(pid)))
    except OSError:
        return descendants(root)
    return found


def _names(members: list[ProcessStat]) -> dict[tuple[int, int], float]:
    return {(member.pid, member.started_ticks): member.reaped_s for member in members}


class TreeMeter:
    """Adds up a process and all below it, again and again.

    The total never falls. A process that ends without being waited for (its parent ignores
    SIGCHLD, or the kernel ended the namespace) leaves no trace in the kernel's account: what the
    last look saw of it stays in the total, what it used after that look is lost.
    """

    def __init__(self, root: int, *, ours: bool = False) -> None:
        """Measure `root` and everything below it; `ours` leaves its own memory out."""
        self.root = root
        self._ours = ours
        self.peak_rss_bytes = 0
        """Largest resident set of any single process, when `look_at_peaks` saw it."""
        self.total_s = 0.0
        """What `cpu_s` returned last."""
        self.lossy = False
        """Whether a look saw somebody whose children leave the account as they end."""
        self._lost_s = 0.0
        self._last_s = 0.0

    def cpu_s(self) -> float:
        """CPU seconds so far of all processes, living and reaped; to about 10 ms."""
        seen_s, steady = self._look()
        if steady:
            if (fall_s := self._last_s - seen_s) > _ROUNDING_S:
                self._lost_s += fall_s
            self._last_s = seen_s
        self.total_s = max(self.total_s, seen_s + self._lost_s)
        return self.total_s

    def _look(self) -> tuple[float, bool]:
        """The sum as it is, and whether nobody came, went or was reaped during the look."""
        members = glance(self.root)
        self.lossy = self.lossy or any(ignores_children(member.pid) for member in members)
        own_s = 0.0
        for _ in range(_TRIES):
            own_s = sum(own_cpu_s(member.pid) for member in members)
            after = glance(self.root)
            if members and _names(members) == _names(after):
                return own_s + sum(member.reaped_s for member in members), True
            members = after
        return own_s, False

    def look_at_peaks(self) -> None:
        """Remember the largest resident set that a process has had so far."""
        for item in glance(self.root)[1 if self._ours else 0 :]:
            self.peak_rss_bytes = max(self.peak_rss_bytes, peak_rss_bytes(item.pid))
