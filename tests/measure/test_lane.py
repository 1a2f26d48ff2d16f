"""Lanes read on a grid, turn faults into words, and let no meter hold up another."""

import itertools
import threading
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S, now_ns
from harness.measure import lane as lanes
from harness.measure.lane import Follow, Lane, Lateness, open_meter
from harness.measure.member import Member
from harness.plugins import DomainSpec, Reading
from tests.lab.waiting import until


def spec(name: str = "gpu-0", **changes: object) -> DomainSpec:
    fields = {"name": name, "kind": "gpu", "method": "counter", "meter": "m", "source": "s"}
    return DomainSpec(**(fields | changes))  # type: ignore[arg-type]


class Scripted:
    """A reader that gives what it is told to."""

    def __init__(self, *rounds: list[Reading] | Exception, name: str = "gpu-0") -> None:
        self.domains: Sequence[DomainSpec] = (spec(name),)
        self._rounds = list(rounds)
        self.marks = 0
        self.trouble: dict[str, str] = {}
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


def member(*rounds: list[Reading] | Exception, name: str = "gpu-0") -> Member:
    return Member(f"meter-{name}", Scripted(*rounds, name=name), origin_ns=1000)


def test_lateness_keeps_quantiles_within_a_bin():
    lateness = Lateness()
    for late_us in range(1, 1001):
        lateness.add(late_us * 1000)
    median, worst = lateness.quantile_s(0.5), lateness.quantile_s(0.99)
    assert median == pytest.approx(500e-6, rel=0.11)
    assert worst == pytest.approx(990e-6, rel=0.11)
    assert Lateness().quantile_s(0.5) is None


def lane_of(*members: Member, period_s: float = 0.02) -> Lane:
    return Lane(members, round(period_s * NS_PER_S), now_ns(), realtime=False)


class Time:
    """A clock and the lock that a lane waits by: waiting moves the clock, and is always late."""

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
    """Takes a while for each read, and stops its lane after so many."""

    def __init__(self, time: Time, reads: list[int]) -> None:
        super().__init__()
        self._time, self._takes = time, reads
        self.lane: Lane | None = None
        self.begun: list[int] = []

    def read(self) -> list[Reading]:
        self.begun.append(self._time.now)
        if self._takes:
            self._time.now += self._takes.pop(0)
            if not self._takes and self.lane is not None:
                self.lane.stop()
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
        patch.setattr(lanes, "now_ns", time_.now_ns)
        lane = Lane([Member("m", reader, 0)], period_ns, phase_ns, realtime=False)
        lane._wake = time_  # type: ignore[assignment]
        reader.lane = lane
        lane._run()
    *on_grid, last = reader.begun
    places = [round((item - late_ns - phase_ns) / period_ns) for item in on_grid]
    for place, begun in zip(places, on_grid, strict=True):
        assert abs(phase_ns + place * period_ns + late_ns - begun) <= 1
    assert places == sorted(set(places)), "a place is read once"
    for (one, other), took in zip(itertools.pairwise(places), takes, strict=False):
        assert other - one <= late + took + 1 + 1e-6, "the next place is taken"
    assert last >= on_grid[-1]
    assert lane.reads_count == len(takes) + 1
    assert lane.helpers == {"helper": 0.25}
    assert lane.drain().count("\n") == len(takes) + 1
    assert lane.drain() == ""
    told_s = lane.lateness.quantile_s(0.5)
    assert told_s is not None
    assert told_s >= max(late_ns, 1000) / NS_PER_S * 0.94


def test_a_mark_reads_at_once():
    """The grid's first place is hours away, so that the reading comes from the mark."""
    lane = lane_of(member(), period_s=30_000.0)
    lane.start()
    lane.mark()
    assert until(lane.drain).count("\n") == 1
    lane.stop()
    assert lane.join(60.0)
    assert lane.drain().count("\n") == 1


def test_a_meter_that_blocks_is_left_alone_and_the_others_go_on():
    blocked, free = member(name="gpu-0"), member(name="gpu-1")
    reader = blocked.reader
    assert isinstance(reader, Scripted)
    reader.hold = threading.Event()
    lane = lane_of(blocked, free)
    lane.start()
    stuck, since_ns = until(lambda: lane.current)
    assert stuck is blocked
    assert since_ns <= now_ns()
    others = lane.split(blocked)
    assert others is not None
    others.start()
    rows = ""
    while rows.count("gpu-1") < 3:
        rows += until(others.drain)
    assert lane.current == (blocked, since_ns)
    reader.hold.set()
    assert "gpu-0" in until(lane.drain)
    for item in (lane, others):
        item.stop()
        assert item.join(60.0)
    assert "gpu-1" not in lane.drain()


def test_a_lane_with_one_member_that_blocks_needs_no_second_one():
    alone = member()
    assert lane_of(alone).split(alone) is None


def test_opening_tells_what_a_meter_raised():
    class Refuses:
        def open(self, options: Mapping[str, str]) -> None:
            raise ValueError(f"no {options['x']}\nhere")

    opened = open_meter("m", Refuses, {"x": "y"})
    assert opened.reader is None
    assert opened.reason == "ValueError: no y here"


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


def test_a_slow_counter_is_watched_after_a_mark_until_it_moves():
    slow, fast = Ticking(0.5, 3), Ticking(0.001, 3, "cpu-0")
    members = [Member("slow", slow, 0), Member("fast", fast, 0)]
    # The grid's first place is far away, so that all looks come from the mark and the end.
    lane = Lane(members, 1000 * NS_PER_S, now_ns() - NS_PER_S, realtime=False)
    lane.mark()
    lane.stop()
    lane.start()
    assert lane.join(10.0)
    assert fast.reads == 1
    assert slow.reads == 3
    assert lane.reads_count == 1, "looks off the grid are no reads"
    assert [row.split(",")[2] for row in lane.drain().splitlines() if "gpu" in row] == [
        "0.0",
        "0.0",
        "1.0",
    ]


def test_a_counter_that_stands_still_is_watched_for_a_period_and_a_half_only():
    still = Member("still", Ticking(0.1, STILL), 0)
    still.take(mark=True)
    begin_ns = now_ns()
    follow = Follow([still], begin_ns)
    assert follow.members == [still]
    assert follow.next_ns == begin_ns + NS_PER_S // 200
    assert follow.looked(now_ns())
    assert not Follow([still], begin_ns - NS_PER_S).looked(now_ns())


def test_a_slow_look_is_not_repeated_without_a_pause():
    slow = Member("slow", Ticking(0.1, STILL), 0)
    slow.take(mark=True)
    follow = Follow([slow], now_ns())
    begin_ns = now_ns() - NS_PER_S // 50
    follow.looked(begin_ns)
    assert follow.next_ns - begin_ns >= NS_PER_S // 10


@pytest.mark.parametrize(
    ("changes", "watched"),
    [
        ({"update_period_s": 0.1}, True),
        ({"update_period_s": 0.001}, False),
        ({"update_period_s": 5.0}, False),
        ({"update_period_s": None}, False),
        ({"update_period_s": 0.1, "method": "sampled"}, False),
    ],
)
def test_only_counters_that_are_slow_but_not_too_slow_are_watched(changes, watched):
    reader = Scripted()
    reader.domains = (spec(**changes),)
    one = Member("m", reader, 0)
    one.take(mark=True)
    assert bool(one.follow_ns) == watched
    assert bool(Follow([one], now_ns()).members) == watched
