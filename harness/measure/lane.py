"""Threads that read opened meters on an absolute grid of time, without waiting for one another."""

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.measure.member import Member
from harness.plugins import Reader

_FOLLOW_STEPS = 20
"""Looks in one update period while a counter is watched."""

_FOLLOW_PERIODS = 1.5
"""A counter that has not moved by then gained nothing: it is watched no longer."""

_FOLLOW_SHARE = 4
"""A look is followed by a pause of at least this many times of what it took."""


class Lateness:
    """How late reads were, in a histogram of fixed size (bins of 5 %)."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0

    def add(self, late_ns: int) -> None:
        """Count one read that came `late_ns` after its place on the grid."""
        bucket = int(20 * math.log(max(late_ns, 1000)))
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._total += 1

    def quantile_s(self, ratio: float) -> float | None:
        """Upper edge of the bin that holds the quantile, seconds; None before any read."""
        if not self._total:
            return None
        left = ratio * self._total
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                break
        return math.exp((bucket + 1) / 20) / NS_PER_S


class Follow:
    """Watches slow counters after a mark until each has shown its next update.

    Where a counter is brought up to date ten times a second, a look at an edge of the window says
    little: the joules shown may be anything up to 100 ms old. The moment of the next update, seen
    to within a few milliseconds, says how old they were.
    """

    def __init__(self, members: Sequence[Member], begin_ns: int) -> None:
        self._shown = {member: member.shown() for member in members if member.follow_ns}
        slowest_ns = max((item.follow_ns for item in self._shown), default=0)
        self._pause_ns = slowest_ns // _FOLLOW_STEPS
        self._end_ns = begin_ns + int(_FOLLOW_PERIODS * slowest_ns)
        self.next_ns = begin_ns + self._pause_ns

    @property
    def members(self) -> list[Member]:
        """Those whose counters have not all moved yet."""
        return [
            item for item, before in self._shown.items() if before.items() & item.shown().items()
        ]

    def looked(self, begin_ns: int) -> bool:
        """Plan the next look after one that began then; False where nothing is left to see."""
        now = now_ns()
        self.next_ns = begin_ns + max(self._pause_ns, (_FOLLOW_SHARE + 1) * (now - begin_ns))
        return now < self._end_ns and bool(self.members)


_Look = tuple[Member, int, Any, bool]
"""A member, when it was looked at, what it saw, and whether that is readings already."""


class Lane:
    """One thread that reads its members in turn, on a grid `start + k * period`."""

    def __init__(
        self, members: Sequence[Member], period_ns: int, phase_ns: int, *, realtime: bool
    ) -> None:
        self.members = list(members)
        self.period_ns = period_ns
        self.lateness = Lateness()
        self.reads_count = 0
        self.helpers: dict[str, float] = {}
        self.realtime = False
        self._phase_ns = phase_ns
        self._want_realtime = realtime
        self._taken: deque[_Look] = deque()
        self._late_ns: deque[int] = deque()
        self._current: tuple[Member, int] | None = None
        self._guard = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._marked = False
        self._edge = False
        self._follow: Follow | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def mark(self) -> None:
        """Ask for a reading at once, at an edge of the window; returns without waiting for it."""
        self._edge = True
        self._marked = True
        self._rouse()

    def stop(self) -> None:
        """Ask for a last reading and the end; returns without waiting."""
        self._stopping = True
        self._marked = True
        self._rouse()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; False where a meter still blocks it."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def drain(self) -> str:
        """The rows read since the last call.

        They are made here and not where they were read: a thread that has slept pays several
        times as much for the same work as one that does it for many readings at once.
        """
        rows: list[str] = []
        while self._late_ns:
            self.lateness.add(self._late_ns.popleft())
        while self._taken:
            member, t_ns, seen, told = self._taken.popleft()
            rows += member.rows(seen if told else member.readings(seen, t_ns))
        return "".join(rows)

    @property
    def current(self) -> tuple[Member, int] | None:
        """Which member is being read just now, and since when (ns)."""
        return self._current

    def split(self, blocked: Member) -> "Lane | None":
        """Leave the blocked member here alone; a new, unstarted lane takes the others."""
        with self._guard:
            others = [member for member in self.members if member is not blocked]
            self.members = [blocked]
        if not others:
            return None
        return Lane(others, self.period_ns, self._phase_ns, realtime=self._want_realtime)

    def _rouse(self) -> None:
        try:
            self._wake.release()
        except RuntimeError:
            return  # it is awake already

    def _run(self) -> None:
        self.realtime = self._want_realtime and _become_realtime()
        while not self._stopping or self._marked or self._follow is not None:
            if self._wait():
                self._round()
            else:
                self._look_again()
        with self._guard:
            members = list(self.members)
        for member in members:
            self.helpers.update(member.close())

    def _wait(self) -> bool:
        """Wait for the next place on the grid or a mark; False where a slow counter comes first."""
        if self._marked:
            self._wake.acquire(blocking=False)
            return True
        now = now_ns()
        steps = (now - self._phase_ns) // self.period_ns + 1
        deadline_ns = self._phase_ns + steps * self.period_ns
        if self._follow is not None and self._follow.next_ns < deadline_ns:
            left_ns = max(0, self._follow.next_ns - now)
            return self._wake.acquire(timeout=left_ns / NS_PER_S)
        if not self._wake.acquire(timeout=(deadline_ns - now) / NS_PER_S):
            self._late_ns.append(now_ns() - deadline_ns)
        return True

    def _round(self) -> None:
        mark, self._marked = self._marked, False
        edge, self._edge = self._edge, False
        self.reads_count += 1
        self._read(self.members, mark=mark, edge=edge)
        if edge:
            follow = Follow(self.members, now_ns())
            self._follow = follow if follow.members else None

    def _look_again(self) -> None:
        """Read what a mark left open; these looks are off the grid and not counted as reads."""
        begin_ns, follow = now_ns(), self._follow
        if follow is not None:
            self._read(follow.members, mark=False, edge=True)
            self._follow = follow if follow.looked(begin_ns) else None

    def _read(self, members: Sequence[Member], *, mark: bool, edge: bool) -> None:
        """Look at each member; near an edge what it shows must be known at once."""
        for member in members:
            begin_ns = now_ns()
            with self._guard:
                if member not in self.members:
                    continue
                self._current = (member, begin_ns)
            seen: Any = member.look(mark=mark)
            self._current = None
            if edge:
                seen = member.near = member.readings(seen, begin_ns)
            self._taken.append((member, begin_ns, seen, edge))


def _become_realtime() -> bool:
    """Lowest real-time priority for this thread where that is permitted; helpers do not inherit."""
    try:
        parameters = os.sched_param(1)
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, parameters)
    except (OSError, AttributeError):
        return False
    return True


class Opened(NamedTuple):
    """What opening one meter gave."""

    name: str
    reader: Reader | None
    reason: str
    """Why there is no reader."""


def open_meter(name: str, load: Callable[[], Any], options: dict[str, str]) -> Opened:
    """Import and open one meter; whatever it raises becomes the reason."""
    try:
        return Opened(name, load().open(options), "")
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        text = " ".join(str(error).split()) or "no message"
        return Opened(name, None, f"{type(error).__name__}: {text}")
