"""Lanes read on a grid, turn faults into words, and let no meter hold up another."""

import math
import threading
import time
from collections.abc import Mapping, Sequence

import pytest

from harness.clock import NS_PER_S, now_ns
from harness.measure.lane import Follow, Lane, Lateness, Live, Member, open_meter, unusable
from harness.plugins import DomainSpec, Reading


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
            self.hold.wait(5)
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


@pytest.mark.parametrize(
    ("energy", "power", "reason"),
    [
        (1.0, None, ""),
        (None, 0.0, ""),
        (math.nan, None, "energy was not a finite number"),
        (1.0, math.inf, "power was not a finite number"),
        (-1.0, None, "energy was negative"),
        (None, -0.5, "power was negative"),
        (None, None, "neither energy nor power"),
    ],
)
def test_what_cannot_stand_in_a_trace_is_told(energy, power, reason):
    told = unusable(Reading(0, "gpu-0", energy, power))
    assert told.startswith(reason)
    assert bool(told) == bool(reason)


def test_a_row_is_relative_to_the_origin_and_leaves_missing_fields_empty():
    rows = member([Reading(1500, "gpu-0", 2.5, None, 7)]).take(mark=False)
    assert rows == ["500,gpu-0,2.5,,7\n"]


def test_whole_numbers_become_decimal_ones():
    assert member([Reading(1001, "gpu-0", 3, 4, 7)]).take(mark=False) == ["1,gpu-0,3.0,4.0,7\n"]


def test_a_meter_that_raises_becomes_a_fault_and_is_tried_again():
    tried = member(OSError("gone"), [Reading(2000, "gpu-0", 1.0, None)])
    assert tried.take(mark=False) == []
    assert len(tried.take(mark=False)) == 1
    assert [each.message for each in tried.faults] == ["OSError: gone"]


def test_a_fault_that_goes_on_is_told_once_in_ten_seconds_and_counted():
    tried = member(*[OSError("gone")] * 50)
    for _ in range(50):
        tried.take(mark=False)
    assert len(tried.faults) == 1
    assert tried.faults_count == 50


def test_a_reading_that_is_no_number_is_a_fault_of_its_domain():
    tried = member([Reading(2000, "gpu-0", math.nan, None)])
    assert tried.take(mark=False) == []
    assert tried.faults[0].domain == "gpu-0"


def test_a_domain_that_was_not_announced_is_a_fault():
    tried = member([Reading(2000, "gpu-9", 1.0, None)])
    assert tried.take(mark=False) == []
    assert "never announced" in tried.faults[0].message


def test_what_a_reader_says_of_single_domains_is_passed_on():
    tried = member([])
    tried.reader.trouble = {"gpu-0": "GPU is lost"}  # type: ignore[attr-defined]
    tried.take(mark=False)
    assert tried.faults[0][:3] == ("meter-gpu-0", "gpu-0", "GPU is lost")


def test_only_a_marked_reading_asks_for_a_fresh_value():
    tried = member()
    tried.take(mark=False)
    tried.take(mark=True)
    assert tried.reader.marks == 1  # type: ignore[attr-defined]


def test_the_display_unfolds_wraps_and_adds_up_power():
    live = Live(spec(wrap_j=100.0))
    for second, joules in enumerate((90.0, 95.0, 5.0)):
        live.add(Reading(second * NS_PER_S, "gpu-0", joules, None))
    assert live.joules == pytest.approx(15.0)
    assert live.watts == pytest.approx(10.0)
    live = Live(spec())
    for second, watts in enumerate((10.0, 20.0, 20.0)):
        live.add(Reading(second * NS_PER_S, "gpu-0", None, watts))
    assert live.joules == pytest.approx(35.0)
    assert live.watts == 20.0


def test_the_display_adds_nothing_where_a_counter_fell_without_a_range():
    live = Live(spec())
    for second, joules in enumerate((90.0, 5.0, 6.0)):
        live.add(Reading(second * NS_PER_S, "gpu-0", joules, None))
    assert live.joules == pytest.approx(1.0)


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


def test_a_lane_reads_on_an_absolute_grid():
    lane = lane_of(member())
    lane.start()
    time.sleep(0.25)
    lane.stop()
    assert lane.join(1.0)
    stamps = [int(row.partition(",")[0]) for row in lane.drain().splitlines()]
    assert 9 <= len(stamps) <= 15
    assert lane.helpers == {"helper": 0.25}
    assert lane.drain() == ""


def test_a_mark_reads_at_once():
    lane = lane_of(member(), period_s=10.0)
    lane.start()
    time.sleep(0.05)
    lane.mark()
    time.sleep(0.1)
    assert lane.drain().count("\n") == 1
    lane.stop()
    assert lane.join(1.0)


def test_a_meter_that_blocks_is_left_alone_and_the_others_go_on():
    blocked, free = member(name="gpu-0"), member(name="gpu-1")
    reader = blocked.reader
    assert isinstance(reader, Scripted)
    reader.hold = threading.Event()
    lane = lane_of(blocked, free)
    lane.start()
    time.sleep(0.1)
    assert lane.stuck(NS_PER_S // 20) is blocked
    others = lane.split(blocked)
    assert others is not None
    others.start()
    time.sleep(0.1)
    assert others.drain().count("gpu-1") >= 3
    reader.hold.set()
    time.sleep(0.1)
    rows = lane.drain()
    assert "gpu-0" in rows
    assert "gpu-1" not in rows
    for each in (lane, others):
        each.stop()
        assert each.join(1.0)


def test_a_lane_with_one_member_that_blocks_needs_no_second_one():
    alone = member()
    assert lane_of(alone).split(alone) is None


def test_opening_tells_what_a_meter_raised():
    class Refuses:
        def open(self, options: Mapping[str, str]) -> None:
            message = f"no {options['x']}\nhere"
            raise ValueError(message)

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
