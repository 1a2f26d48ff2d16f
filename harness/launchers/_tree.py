"""The processes below one process: who they are, and what CPU time and memory they took."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NS_PER_S = 1_000_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# A reaped child's time is shown in ticks, user and system cut off apart: what is missing below
# this is rounding, not a lost process.
_ROUNDING_S = 5 / _TICKS_PER_S
_TRIES = 4
_STOPS = 50


class Member(NamedTuple):
    """One process, as its `stat` file shows it."""

    pid: int
    parent: int
    session: int
    started_ticks: int
    """Since boot; with the pid it names a process for ever."""
    reaped_s: float
    """CPU seconds of children that ended and were waited for, in whole ticks."""


def member(pid: int) -> Member | None:
    """The process of that number, None where there is none (or no longer)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The program's name stands in parentheses and may hold anything, parentheses too.
    fields = text[text.rindex(b")") + 2 :].split()
    reaped = (int(fields[13]) + int(fields[14])) / _TICKS_PER_S
    return Member(pid, int(fields[1]), int(fields[3]), int(fields[19]), reaped)


def everyone() -> Iterator[Member]:
    """All processes that `/proc` shows."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - three times as fast as Path.iterdir
        if name.isdigit() and (found := member(int(name))):
            yield found


def descendants(root: int) -> list[Member]:
    """The process `root`, then all below it; empty where it is gone."""
    below: dict[int, list[Member]] = {}
    top: list[Member] = []
    for each in everyone():
        below.setdefault(each.parent, []).append(each)
        if each.pid == root:
            top.append(each)
    for each in top:
        top.extend(below.get(each.pid, ()))
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
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    found = status.partition(b"VmHWM:")[2].split(None, 1)
    return int(found[0]) * 1024 if found else 0


def end_below(root: int) -> None:
    """SIGKILL everything below a process, which itself stays.

    All are stopped first, until nobody new appears: so forking faster than they are killed does
    not help them.
    """
    stopped: set[int] = set()
    for _ in range(_STOPS):
        fresh = {each.pid for each in descendants(root)} - stopped - {root}
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


class _Look(NamedTuple):
    own_s: dict[tuple[int, int], float]
    reaped_s: dict[tuple[int, int], float]


def _names(members: list[Member]) -> dict[tuple[int, int], float]:
    return {(each.pid, each.started_ticks): each.reaped_s for each in members}


class TreeMeter:
    """Adds up a process and all below it, again and again.

    The total never falls. A process that ends without being waited for (its parent ignores
    SIGCHLD, or the kernel ended the namespace) leaves no trace in the kernel's account: what the
    last look saw of it stays in the total, what it used after that look is lost.
    """

    def __init__(self, root: int) -> None:
        """Measure `root` and everything below it."""
        self.root = root
        self.peak_rss_bytes = 0
        """Largest resident set of any single process seen."""
        self.total_s = 0.0
        """What `cpu_s` returned last."""
        self._lost_s = 0.0
        self._last_s = 0.0

    def cpu_s(self) -> float:
        """CPU seconds so far of all processes, living and reaped; to about 10 ms."""
        look, steady = self._look()
        seen_s = sum(look.own_s.values()) + sum(look.reaped_s.values())
        if steady:
            if (fall_s := self._last_s - seen_s) > _ROUNDING_S:
                self._lost_s += fall_s
            self._last_s = seen_s
        self.total_s = max(self.total_s, seen_s + self._lost_s)
        return self.total_s

    def _look(self) -> tuple[_Look, bool]:
        """One look, and whether nobody came, went or was reaped during it."""
        members = descendants(self.root)
        for _ in range(_TRIES):
            own = {(each.pid, each.started_ticks): own_cpu_s(each.pid) for each in members}
            after = descendants(self.root)
            if _names(members) == _names(after):
                self._remember_peaks(members)
                return _Look(own, _names(members)), bool(members)
            members = after
        return _Look(own, {}), False

    def _remember_peaks(self, members: list[Member]) -> None:
        peaks = (peak_rss_bytes(each.pid) for each in members)
        self.peak_rss_bytes = max(self.peak_rss_bytes, *peaks, 0)
