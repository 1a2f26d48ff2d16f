"""Threads that read opened meters on an absolute grid of time, without waiting for one another."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.plugins import DomainSpec, Reader, Reading

_FAULTS_KEPT = 200
"""Faults told in full; beyond it they are counted only."""

_FAULT_REPEAT_NS = 10 * NS_PER_S
"""A fault that goes on is told again after this long."""

_FOLLOWED_S = (0.02, 0.5)
"""A counter whose update period lies in this range is watched for an update after a mark."""

_FOLLOW_STEPS = 20
"""Looks in one update period while a counter is watched."""

_FOLLOW_PERIODS = 1.5
"""A counter that has not moved by then gained nothing: it is watched no longer."""

_FOLLOW_SHARE = 4
"""A look is followed by a pause of at least this many times of what it took."""


class Fault(NamedTuple):
    """A reading that could not be taken or used."""

    meter: str
    domain: str
    """Empty where the whole meter failed."""
    message: str
    t_ns: int
    """`CLOCK_MONOTONIC`."""


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


class Live:
    """Running watts and joules of one domain, for the display alone; scores never see them."""

    def __init__(self, spec: DomainSpec) -> None:
        self.counts = spec.method == "counter"
        self._wrap_j = spec.wrap_j
        self._last: Reading | None = None
        self.joules = 0.0
        self.watts: float | None = None
        self.gap_max_ns = 0

    def add(self, reading: Reading) -> None:
        """Take the next reading in."""
        last, self._last = self._last, reading
        if last is None:
            self.watts = reading.power_w
            return
        step_ns = reading.t_ns - last.t_ns
        self.gap_max_ns = max(self.gap_max_ns, step_ns)
        gained = self._gained_j(last, reading, step_ns / NS_PER_S)
        if gained is None or step_ns <= 0:
            self.watts = reading.power_w
            return
        self.joules += gained
        self.watts = reading.power_w if reading.power_w is not None else gained * NS_PER_S / step_ns

    def _gained_j(self, last: Reading, reading: Reading, step_s: float) -> float | None:
        if reading.energy_j is not None and last.energy_j is not None:
            gained = reading.energy_j - last.energy_j
            if gained < 0:
                return gained + self._wrap_j if self._wrap_j is not None else None
            return gained
        if reading.power_w is not None and last.power_w is not None:
            return (reading.power_w + last.power_w) / 2 * step_s
        return None


def unusable(reading: Reading) -> str:
    """Why a reading cannot stand in the trace; empty where it can."""
    for label, value in (("energy", reading.energy_j), ("power", reading.power_w)):
        if value is not None and not math.isfinite(value):
            return f"{label} was not a finite number ({value})"
        if value is not None and value < 0:
            return f"{label} was negative ({value:g})"
    if reading.energy_j is None and reading.power_w is None:
        return "neither energy nor power was given"
    return ""


class Member:
    """One opened meter with its live figures and its faults."""

    def __init__(self, name: str, reader: Reader, origin_ns: int) -> None:
        self.name = name
        self.reader = reader
        self.live = {spec.name: Live(spec) for spec in reader.domains}
        self.faults: list[Fault] = []
        self.faults_count = 0
        self.readings_count = 0
        self.seconds: tuple[int, int] | None = None
        """Stamps of the first and the last reading, ns."""
        self._origin_ns = origin_ns
        self._last: Sequence[Reading] = ()
        self._told: dict[tuple[str, str], int] = {}

    @property
    def follow_ns(self) -> int:
        """Update period of its slowest counter, where watching for the next update pays, else 0."""
        least_s, most_s = _FOLLOWED_S
        periods = [
            spec.update_period_s or 0.0
            for spec in self.reader.domains
            if spec.method == "counter" and least_s <= (spec.update_period_s or 0.0) <= most_s
        ]
        return int(max(periods, default=0.0) * NS_PER_S)

    def shown(self) -> dict[str, float | None]:
        """What its counters showed last."""
        counts = {name for name, each in self.live.items() if each.counts}
        return {each.domain: each.energy_j for each in self._last if each.domain in counts}

    def take(self, *, mark: bool) -> list[str]:
        """Read once; returns rows of the trace."""
        return self.rows(self.look(mark=mark))

    def look(self, *, mark: bool) -> Sequence[Reading]:
        """Read once. Whatever a meter raises becomes a fault.

        Args:
            mark: this reading stands at an edge of the window; a meter with helpers that would
                otherwise give an older value is asked for a fresh one by its `mark` method.
        """
        try:
            if mark and hasattr(self.reader, "mark"):
                self.reader.mark()
            readings = self.reader.read()
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"{type(error).__name__}: {error}")
            return ()
        for domain, message in getattr(self.reader, "trouble", {}).items():
            self.fault(domain, message)
        self._last = readings
        return readings

    def rows(self, readings: Sequence[Reading]) -> list[str]:
        """Rows of the trace; a reading that cannot stand there becomes a fault."""
        return [row for reading in readings if (row := self._row(reading))]

    def _row(self, reading: Reading) -> str:
        reason = unusable(reading)
        if reading.domain not in self.live:
            reason = "the meter never announced this domain"
        if reason:
            self.fault(reading.domain, reason)
            return ""
        self.live[reading.domain].add(reading)
        self.readings_count += 1
        first = self.seconds[0] if self.seconds else reading.t_ns
        self.seconds = (first, reading.t_ns)
        energy = "" if reading.energy_j is None else repr(float(reading.energy_j))
        power = "" if reading.power_w is None else repr(float(reading.power_w))
        t_ns = reading.t_ns - self._origin_ns
        return f"{t_ns},{reading.domain},{energy},{power},{reading.u_ns}\n"

    def fault(self, domain: str, message: str) -> None:
        """Note a fault; one that goes on is told every ten seconds only."""
        self.faults_count += 1
        t_ns = now_ns()
        key = (domain, message)
        told_ns = self._told.get(key)
        if told_ns is not None and t_ns - told_ns < _FAULT_REPEAT_NS:
            return
        if len(self._told) < _FAULTS_KEPT:
            self._told[key] = t_ns
            self.faults.append(Fault(self.name, domain, message, t_ns))

    def close(self) -> dict[str, float]:
        """Let the meter go; CPU seconds of its helper processes."""
        try:
            return dict(self.reader.close())
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"close: {type(error).__name__}: {error}")
            return {}


class Follow:
    """Watches slow counters after a mark until each has shown its next update.

    Where a counter is brought up to date ten times a second, a look at an edge of the window says
    little: the joules shown may be anything up to 100 ms old. The moment of the next update, seen
    to within a few milliseconds, says how old they were.
    """

    def __init__(self, members: Sequence[Member], begin_ns: int) -> None:
        self._shown = {each: each.shown() for each in members if each.follow_ns}
        slowest_ns = max((each.follow_ns for each in self._shown), default=0)
        self._pause_ns = slowest_ns // _FOLLOW_STEPS
        self._end_ns = begin_ns + int(_FOLLOW_PERIODS * slowest_ns)
        self.next_ns = begin_ns + self._pause_ns

    @property
    def members(self) -> list[Member]:
        """Those whose counters have not all moved yet."""
        return [
            each for each, before in self._shown.items() if before.items() & each.shown().items()
        ]

    def looked(self, begin_ns: int) -> bool:
        """Plan the next look after one that began then; False where nothing is left to see."""
        now = now_ns()
        self.next_ns = begin_ns + max(self._pause_ns, (_FOLLOW_SHARE + 1) * (now - begin_ns))
        return now < self._end_ns and bool(self.members)


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
        self._taken: list[tuple[Member, Sequence[Reading]]] = []
        self._late_ns: list[int] = []
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
        with self._guard:
            taken, self._taken = self._taken, []
            late_ns, self._late_ns = self._late_ns, []
        for each in late_ns:
            self.lateness.add(each)
        return "".join(row for member, readings in taken for row in member.rows(readings))

    def stuck(self, limit_ns: int) -> Member | None:
        """The member whose read has been going on for longer than `limit_ns`."""
        current = self._current
        if current is not None and now_ns() - current[1] > limit_ns:
            return current[0]
        return None

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
        self._read(tuple(self.members), mark=mark)
        if edge:
            follow = Follow(self.members, now_ns())
            self._follow = follow if follow.members else None

    def _look_again(self) -> None:
        """Read what a mark left open; these looks are off the grid and not counted as reads."""
        begin_ns, follow = now_ns(), self._follow
        if follow is not None:
            self._read(follow.members, mark=False)
            self._follow = follow if follow.looked(begin_ns) else None

    def _read(self, members: Sequence[Member], *, mark: bool) -> None:
        for member in members:
            with self._guard:
                if member not in self.members:
                    continue
                self._current = (member, now_ns())
            readings = member.look(mark=mark)
            self._current = None
            with self._guard:
                self._taken.append((member, readings))


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
