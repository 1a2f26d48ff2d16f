"""Threads that read opened meters on an absolute time grid, independent of each other."""

import math
import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.measure.session import MeterSession

_TRACK_READS = 20
"""Reads in one update period, and in the time passed, while an update is awaited."""

_TRACK_LEAST_NS = 500_000

_TRACK_PAUSE = 4
"""A read while tracking is followed by a pause of at least this many times its length."""


class JitterHistogram:
    """How late reads were, in a histogram of fixed size (bins of 5 %)."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0

    def add(self, late_ns: int) -> None:
        """Count one read that came `late_ns` after its time on the grid."""
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


class UpdateTracker:
    """Schedules reads after a mark until each meter has shown its next update.

    Where a counter is updated ten times a second, a reading at an edge of the window may be up to
    100 ms old. The time of the next update, known to within a few milliseconds, says how old it
    was; of a counter that is updated every millisecond it proves that. A log of an external meter
    has its row of the edge a second later.
    """

    def __init__(self, sessions: Sequence[MeterSession], begin_ns: int) -> None:
        self._begin_ns = begin_ns
        self._before = {item: item.edge_counters() for item in sessions if item.tracked_s}
        self.next_ns = begin_ns
        self.plan_next(begin_ns)

    @property
    def sessions(self) -> list[MeterSession]:
        """Those that have not shown an update yet and are still awaited."""
        passed_s = (now_ns() - self._begin_ns) / NS_PER_S
        return [
            session
            for session, before in self._before.items()
            if passed_s < session.tracked_s and session.is_behind(before, self._begin_ns)
        ]

    def plan_next(self, begin_ns: int) -> bool:
        """Plan the read after one that began at `begin_ns`; False where tracking has ended."""
        waiting, now = self.sessions, now_ns()
        fastest_s = min((session.update_s for session in waiting), default=0.0)
        passed_ns = begin_ns - self._begin_ns
        pause_ns = max(_TRACK_LEAST_NS, max(int(fastest_s * NS_PER_S), passed_ns) // _TRACK_READS)
        self.next_ns = begin_ns + max(pause_ns, (_TRACK_PAUSE + 1) * (now - begin_ns))
        return bool(waiting)


class _Poll(NamedTuple):
    """The result of polling one meter, to be decoded later unless it is decoded already."""

    session: MeterSession
    t_ns: int
    answer: Any
    decoded: bool


class SamplingThread:
    """Polls its meters in turn, on a grid `start + k * period`."""

    def __init__(
        self, sessions: Sequence[MeterSession], period_ns: int, phase_ns: int, *, realtime: bool
    ) -> None:
        self.sessions = list(sessions)
        self.period_ns = period_ns
        self.jitter = JitterHistogram()
        self.reads_count = 0
        self.helpers: dict[str, float] = {}
        """CPU seconds of the meters' helper processes, by name, once it has ended."""
        self.realtime = False
        self.current: tuple[MeterSession, int] | None = None
        """The meter that is being polled at present, and since when (ns)."""
        self._phase_ns = phase_ns
        self._want_realtime = realtime
        self._polls: deque[_Poll] = deque()
        self._late_ns: deque[int] = deque()
        self._guard = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._marked = False
        self._edge = False
        self._tracker: UpdateTracker | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def mark(self) -> None:
        """Request a reading at once, at an edge of the window; returns without waiting for it."""
        self._edge = True
        self._wake_up()

    def stop(self) -> None:
        """Request a last reading and the end; returns without waiting."""
        self._stopping = True
        self._wake_up()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; False where a meter still blocks it."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def drain(self) -> str:
        """The rows of the trace since the last call.

        Answers are decoded here and not where they were polled: a thread that has slept needs
        several times as long for the same work as one that does it for many answers at once.
        """
        rows: list[str] = []
        while self._late_ns:
            self.jitter.add(self._late_ns.popleft())
        while self._polls:
            session, t_ns, answer, decoded = self._polls.popleft()
            rows += session.rows(answer if decoded else session.decode(answer, t_ns))
        return "".join(rows)

    def split(self, blocked: MeterSession) -> "SamplingThread | None":
        """Leave the blocked meter alone here; a new, unstarted thread takes the others."""
        with self._guard:
            others = [session for session in self.sessions if session is not blocked]
            self.sessions = [blocked]
        if not others:
            return None
        return SamplingThread(others, self.period_ns, self._phase_ns, realtime=self._want_realtime)

    def _wake_up(self) -> None:
        self._marked = True
        try:
            self._wake.release()
        except RuntimeError:
            return  # it is awake already

    def _run(self) -> None:
        self.realtime = self._want_realtime and _become_realtime()
        while not self._stopping or self._marked or self._tracker is not None:
            if self._wait():
                self._read_all()
            else:
                self._track()
        with self._guard:
            sessions = list(self.sessions)
        for session in sessions:
            self.helpers.update(session.close())

    def _wait(self) -> bool:
        """Wait for the next time on the grid or a mark; False where a tracking read comes first."""
        if self._marked:
            self._wake.acquire(blocking=False)
            return True
        now = now_ns()
        steps = (now - self._phase_ns) // self.period_ns + 1
        deadline_ns = self._phase_ns + steps * self.period_ns
        if self._tracker is not None and self._tracker.next_ns < deadline_ns:
            left_ns = max(0, self._tracker.next_ns - now)
            return self._wake.acquire(timeout=left_ns / NS_PER_S)
        if not self._wake.acquire(timeout=(deadline_ns - now) / NS_PER_S):
            self._late_ns.append(now_ns() - deadline_ns)
        return True

    def _read_all(self) -> None:
        mark, self._marked = self._marked, False
        edge, self._edge = self._edge, False
        self.reads_count += 1
        begin_ns = now_ns()
        # A row that a log has after a mark comes once: it must not be missed in between.
        self._poll(self.sessions, mark=mark, edge=edge or self._tracker is not None)
        if edge:
            tracker = UpdateTracker(self.sessions, begin_ns)
            self._tracker = tracker if tracker.sessions else None

    def _track(self) -> None:
        """Read the tracked counters; these reads are off the grid and not counted."""
        begin_ns, tracker = now_ns(), self._tracker
        if tracker is not None:
            self._poll(tracker.sessions, mark=False, edge=True)
            self._tracker = tracker if tracker.plan_next(begin_ns) else None

    def _poll(self, sessions: Sequence[MeterSession], *, mark: bool, edge: bool) -> None:
        """Poll each meter; at an edge its readings are needed at once."""
        for session in sessions:
            begin_ns = now_ns()
            with self._guard:
                if session not in self.sessions:
                    continue
                self.current = (session, begin_ns)
            answer = session.poll(mark=mark)
            self.current = None
            if edge:
                answer = session.edge_readings = session.decode(answer, begin_ns)
            self._polls.append(_Poll(session, begin_ns, answer, edge))


def _become_realtime() -> bool:
    """Lowest real-time priority for this thread where that is permitted; helpers do not inherit."""
    try:
        parameters = os.sched_param(1)
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, parameters)
    except (OSError, AttributeError):
        return False
    return True
