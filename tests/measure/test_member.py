"""A member turns what its meter says into rows and faults, and never falls over it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.measure.member import Live, Member, unusable
from harness.plugins import Reading
from tests.measure.test_lane import Scripted, member, spec


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
    assert [fault.message for fault in tried.faults] == ["OSError: gone"]


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


class Nonsense(Scripted):
    """A plug-in that gives something else than readings."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self._given = given

    def read(self) -> list[Reading]:
        return [self._given, Reading(3000, "gpu-0", 1.0, None)]


@pytest.mark.parametrize(
    "given",
    [
        Reading(2000, "gpu-0", "12", None),  # type: ignore[arg-type]
        Reading(2000.5, "gpu-0", 1.0, None),  # type: ignore[arg-type]
        Reading(None, "gpu-0", 1.0, None),  # type: ignore[arg-type]
        Reading(2000, ["gpu-0"], 1.0, None),  # type: ignore[arg-type]
        Reading(2000, "gpu-0", 1.0, None, None),  # type: ignore[arg-type]
        ("gpu-0", 1.0),
        7,
    ],
)
def test_what_is_no_reading_is_a_fault_and_the_next_one_counts(given):
    tried = Member("odd", Nonsense(given), origin_ns=1000)
    assert tried.take(mark=False) == ["2000,gpu-0,1.0,,0\n"]
    assert len(tried.faults) == 1
    assert tried.faults[0].message
    assert (tried.first_ns, tried.last_ns, tried.readings_count) == (3000, 3000, 1)


class Glancing(Scripted):
    """Leaves the making of readings for later; `told` gives what was written down for a glance."""

    def __init__(self, *told: tuple[Sequence[Reading], Mapping[str, str]] | Exception) -> None:
        super().__init__()
        self._later = list(told)

    def glance(self) -> int:
        self.reads += 1
        return self.reads - 1

    def told(self, seen: int) -> tuple[Sequence[Reading], Mapping[str, str]]:
        given = self._later[seen]
        if isinstance(given, Exception):
            raise given
        return given

    def read(self) -> list[Reading]:
        raise AssertionError


def test_a_glance_becomes_readings_later_with_the_time_of_the_look_in_its_faults():
    sound = [Reading(1500, "gpu-0", 2.5, None, 7)]
    tried = Member("m", Glancing((sound, {}), ([], {"gpu-0": "GPU is lost"})), origin_ns=1000)
    first, second = tried.look(mark=False), tried.look(mark=False)
    assert not tried.faults
    assert tried.rows(tried.readings(first, 1400)) == ["500,gpu-0,2.5,,7\n"]
    assert tried.rows(tried.readings(second, 1600)) == []
    assert [fault[1:] for fault in tried.faults] == [("gpu-0", "GPU is lost", 1600)]


def test_a_glance_that_cannot_be_understood_is_a_fault():
    tried = Member("m", Glancing(ValueError("7 is no text")), origin_ns=0)
    assert tried.take(mark=True) == []
    assert [fault.message for fault in tried.faults] == ["ValueError: 7 is no text"]
    assert tried.reader.marks == 1  # type: ignore[attr-defined]


def test_a_look_that_failed_gives_nothing():
    tried = member(OSError("gone"))
    assert tried.readings(tried.look(mark=False), 0) == ()


def test_the_largest_step_between_readings_is_kept():
    live = Live(spec())
    for second in (1, 2, 5, 5, 6):
        live.add(Reading(second * NS_PER_S, "gpu-0", 1.0, None))
    assert live.gap_max_ns == 3 * NS_PER_S
