"""Lanes read on a grid, turn faults into words, and let no meter hold up another."""

import itertools
import threading
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S, now_ns
from harness.measure import sampling_thread as threads
from harness.measure.sampling_thread import JitterHistogram, SamplingThread, UpdateTracker
from harness.measure.session import MeterSession
from harness.plugins import Domain, Reader, Reading
from tests.lab.waiting import until


def spec(name: str = "gpu-0", **changes: object) -> Domain:
    fields = {"name": name, "kind": "gpu", "method": "counter", "meter": "m", "source": "s"}
    return Domain(**(fields | changes))  # type: ignore[arg-type]


class Scripted(Reader):
    """A reader that gives what it is told to."""

    def __init__(self, *rounds: list[Reading] | Exception, name: str = "gpu-0") -> None:
        self.domains: Sequence[Domain] = (spec(name),)
        self._rounds = list(rounds)
        self.marks = 0
        self.errors: dict[str, str] = {}
        self.hold: threading.Event | None = None
        self.reads = 0

    def mark(self) -> None:
        self.marks += 1

    def read(self) -> list[Reading]:
        self.reads += 1
        if self.hold is not None:
            self.hold.wait(60)
        if not self._rounds:
            return [Reading(now_ns(), self.domains[0].name, float(self.reads), None, 1)]
        given = self._rounds.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def close(self) -> Mapping[str, float]:
        return {"helper": 0.25}


def session(*rounds: list[Reading] | Exception, name: str = "gpu-0") -> MeterSession:
    return MeterSession(f"meter-{name}", Scripted(*rounds, name=name), origin_ns=1000)


def test_jitter_keeps_quantiles_within_a_bin():
    jitter = JitterHistogram()
    for late_us in range(1, 1001):
        jitter.add(late_us * 1000)
    median, worst = jitter.quantile_s(0.5), jitter.quantile_s(0.99)
    assert median == pytest.approx(500e-6, rel=0.11)
    assert worst == pytest.approx(990e-6, rel=0.11)
    assert JitterHistogram().quantile_s(0.5) is None


def thread_of(*sessions: MeterSession, period_s: float = 0.02) -> SamplingThread:
    return SamplingThread(sessions, round(period_s * NS_PER_S), now_ns(), realtime=False)


class Time:
    """A clock and the lock that a thread waits by: waiting moves the clock, and is always late."""

    def __init__(self, late_ns: int) -> None:
        self.now = 5_000_000_123
        self._late_ns = late_ns

    def now_ns(self) -> int:
        return self.now

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking:
            self.now += round(timeout * NS_PER_S) + self._late_ns
        return False

    def release(self) -> None:
        raise RuntimeError


class Timed(Scripted):
    """Takes a while for each read, and stops its thread after so many."""

    def __init__(self, time: Time, reads: list[int]) -> None:
        super().__init__()
        self._time, self._takes = time, reads
        self.thread: SamplingThread | None = None
        self.begun: list[int] = []

    def read(self) -> list[Reading]:
        self.begun.append(self._time.now)
        if self._takes:
            self._time.now += self._takes.pop(0)
            if not self._takes and self.thread is not None:
                self.thread.stop()
        return [Reading(self._time.now, "gpu-0", float(len(self.begun)), None, 1)]


@given(
    period_ns=st.integers(1_000_000, NS_PER_S),
    phase_ns=st.integers(0, 10 * NS_PER_S),
    late=st.floats(0, 0.5),
    takes=st.lists(st.floats(0, 3.2), min_size=2, max_size=20),
)
def test_a_lane_reads_on_an_absolute_grid(period_ns, phase_ns, late, takes):
    """Neither late wake-ups nor slow reads move the later ones off the grid."""
    late_ns = int(late * period_ns)
    time_ = Time(late_ns)
    reader = Timed(time_, [int(take * period_ns) for take in takes])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "now_ns", time_.now_ns)
        thread = SamplingThread([MeterSession("m", reader, 0)], period_ns, phase_ns, realtime=False)
        thread._wake = time_  # type: ignore[assignment]
        reader.thread = thread
        thread._run()
    *on_grid, last = reader.begun
    places = [round((item - late_ns - phase_ns) / period_ns) for item in on_grid]
    for place, begun in zip(places, on_grid, strict=True):
        assert abs(phase_ns + place * period_ns + late_ns - begun) <= 1
    assert places == sorted(set(places)), "a place is read once"
    for (one, other), took in zip(itertools.pairwise(places), takes, strict=False):
        assert other - one <= late + took + 1 + 1e-6, "the next place is taken"
    assert last >= on_grid[-1]
    assert thread.reads_count == len(takes) + 1
    assert thread.helpers == {"helper": 0.25}
    assert thread.drain().count("\n") == len(takes) + 1
    assert thread.drain() == ""
    median_s = thread.jitter.quantile_s(0.5)
    assert median_s is not None
    assert median_s >= max(late_ns, 1000) / NS_PER_S * 0.94


def test_a_mark_reads_at_once():
    """The grid's first place is hours away, so that the reading comes from the mark."""
    thread = thread_of(session(), period_s=30_000.0)
    thread.start()
    thread.mark()
    assert until(thread.drain)
    thread.stop()
    assert thread.join(60.0)
    assert thread.drain()


def test_a_meter_that_blocks_is_left_alone_and_the_others_go_on():
    blocked, free = session(name="gpu-0"), session(name="gpu-1")
    reader = blocked.reader
    assert isinstance(reader, Scripted)
    reader.hold = threading.Event()
    thread = thread_of(blocked, free)
    thread.start()
    stuck, since_ns = until(lambda: thread.current)
    assert stuck is blocked
    assert since_ns <= now_ns()
    others = thread.split(blocked)
    assert others is not None
    others.start()
    rows = ""
    while rows.count("gpu-1") < 3:
        rows += until(others.drain)
    assert thread.current == (blocked, since_ns)
    reader.hold.set()
    assert "gpu-0" in until(thread.drain)
    for item in (thread, others):
        item.stop()
        assert item.join(60.0)
    assert "gpu-1" not in thread.drain()


def test_a_lane_with_one_member_that_blocks_needs_no_second_one():
    alone = session()
    assert thread_of(alone).split(alone) is None


class Ticking(Scripted):
    """A counter that shows a new value at every so many looks."""

    def __init__(self, update_s: float, looks: int, name: str = "gpu-0") -> None:
        super().__init__(name=name)
        self.domains = (spec(name, update_period_s=update_s),)
        self._looks = looks

    def read(self) -> list[Reading]:
        self.reads += 1
        joules = float(self.reads // self._looks)
        return [Reading(now_ns(), self.domains[0].name, joules, None, 1)]


STILL = 1_000_000


def test_counters_are_watched_after_a_mark_until_they_move():
    slow, fast = Ticking(0.5, 3), Ticking(0.001, 2, "cpu-0")
    sessions = [MeterSession("slow", slow, 0), MeterSession("fast", fast, 0)]
    # The grid's first place is far away, so that all looks come from the mark and the end.
    thread = SamplingThread(sessions, 1000 * NS_PER_S, now_ns() - NS_PER_S, realtime=False)
    thread.mark()
    thread.stop()
    thread.start()
    assert thread.join(10.0)
    assert fast.reads == 2
    assert slow.reads == 3
    assert thread.reads_count == 1, "looks off the grid are no reads"
    assert [row.split(",")[2] for row in thread.drain().splitlines() if "gpu" in row] == [
        "0.0",
        "0.0",
        "1.0",
    ]


def test_a_counter_that_stands_still_is_watched_for_a_second_and_a_half_ever_less_often():
    still = MeterSession("still", Ticking(0.1, STILL), 0)
    still.read(mark=True)
    begin_ns = now_ns()
    tracker = UpdateTracker([still], begin_ns)
    assert tracker.sessions == [still]
    assert tracker.next_ns >= begin_ns + NS_PER_S // 200
    tracker = UpdateTracker([still], begin_ns - NS_PER_S)
    assert tracker.plan_next(begin_ns)
    assert tracker.next_ns >= begin_ns + NS_PER_S // 20
    assert not UpdateTracker([still], begin_ns - 2 * NS_PER_S).plan_next(now_ns())


def test_a_slow_look_is_not_repeated_without_a_pause():
    slow = MeterSession("slow", Ticking(0.1, STILL), 0)
    slow.read(mark=True)
    tracker = UpdateTracker([slow], now_ns())
    begin_ns = now_ns() - NS_PER_S // 50
    tracker.plan_next(begin_ns)
    assert tracker.next_ns - begin_ns >= NS_PER_S // 10


def test_the_row_of_a_log_is_awaited_after_a_mark():
    """A meter that writes once a second: its row of the edge comes after it."""
    log = Scripted()
    log.domains = (spec("wall", update_period_s=1.0, method="sampled", kind="wall"),)
    one, mark_ns = MeterSession("log", log, 0), now_ns()
    tracker = UpdateTracker([one], mark_ns)
    for readings, awaited in (
        ([], True),
        ([Reading(mark_ns - 1, "wall", None, 90.0)], True),
        ([], True),
        ([Reading(mark_ns + 1, "wall", None, 90.0)], False),
    ):
        one.edge_readings = readings
        assert bool(tracker.sessions) == awaited
    assert not UpdateTracker([one], mark_ns - 3 * NS_PER_S).sessions


@pytest.mark.parametrize(
    ("changes", "watched"),
    [
        ({"update_period_s": 0.1}, True),
        ({"update_period_s": 0.001}, True),
        ({"update_period_s": None}, True),
        ({"update_period_s": 0.1, "method": "sampled"}, False),
    ],
)
def test_counters_and_logs_are_watched(changes, watched):
    reader = Scripted()
    reader.domains = (spec(**changes),)
    one = MeterSession("m", reader, 0)
    one.read(mark=True)
    assert bool(UpdateTracker([one], now_ns()).sessions) == watched
