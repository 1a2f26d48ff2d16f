"""What readers of power logs share: joules of readings, their order, time stamps."""

from datetime import UTC
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.formats.text import Text
from harness.plugins import Reading
from harness.powerlogs.importing import LogEnergy, order_in_time
from harness.powerlogs.log import LineError, time_ns
from harness.powerlogs.ptdaemon import PtdaemonParser

WATTS = st.floats(0, 1e5)
POINTS = st.lists(st.tuples(st.floats(0, 1e5), WATTS), min_size=2, max_size=20)
TEXT = Text(Path("in/power.csv"), [], "aa", whole=True)


def readings(points: list[tuple[float, float]]) -> list[Reading]:
    return [Reading(round(t_s * NS_PER_S), "wall", None, watts) for t_s, watts in points]


def trapezoid(points: list[tuple[float, float]]) -> float:
    """Joules of an imported log of these readings; constant power is left to other tests."""
    parser = PtdaemonParser()
    return LogEnergy("made", parser, TEXT, readings(points)).energies["wall"].energy_j or 0.0


@given(st.lists(st.floats(5, 900), min_size=3, max_size=20, unique=True), st.floats(-1e4, 1e4))
def test_joules_are_the_trapezoids_whatever_the_zero_of_the_clock(
    watts: list[float], shift_s: float
) -> None:
    points = [(shift_s + i, power) for i, power in enumerate(watts)]
    exact = sum((a + b) / 2 for a, b in pairwise(watts))
    assert trapezoid(points) == pytest.approx(exact, rel=1e-6)


@given(POINTS)
def test_readings_after_a_clock_that_was_set_back_follow(points: list[tuple[float, float]]) -> None:
    own = readings(points)
    ordered, back_s = order_in_time(own)
    assert (back_s > 0) == any(a.t_ns > b.t_ns for a, b in pairwise(own))
    assert all(a.t_ns <= b.t_ns for a, b in pairwise(ordered))
    assert sorted(r.power_w or 0 for r in ordered) == sorted(r.power_w or 0 for r in own)


def test_a_clock_that_is_set_back_keeps_the_order() -> None:
    """The end of summer time: 29 readings of 100 W, and the clock goes back after half of them."""
    times = [3600.0 + i for i in range(15)] + [float(15 + i) for i in range(15)]
    ordered, back_s = order_in_time(readings([(time, 100.0) for time in times]))
    assert back_s == pytest.approx(3599)
    assert (ordered[-1].t_ns - ordered[0].t_ns) / NS_PER_S == 29.0


def test_readings_in_reverse_are_sorted() -> None:
    ordered, _ = order_in_time(readings([(9.0 - i, float(i)) for i in range(9)]))
    assert [reading.power_w for reading in ordered] == [8.0 - i for i in range(9)]


@pytest.mark.parametrize(
    "stamp",
    [
        "2017-02-15T12:49:51Z",
        "1487162991",
        "1487162991000",
        "02-15-2017 12:49:51",
        "02/15/2017 12:49:51",
        "20170215 12:49:51",
        "Wed Feb 15 12:49:51 2017",
        "Wed Feb 15 12:49:51 UTC 2017",
        "Wed Feb 15 13:49:51 2017 +0100",
    ],
)
def test_forms_of_a_stamp(stamp: str) -> None:
    assert time_ns(stamp, UTC) == 1_487_162_991 * NS_PER_S


def test_stamps() -> None:
    assert time_ns("2018/10/10 13:06:03.419", UTC) == 1_539_176_763_419_000_000
    with pytest.raises(LineError, match="no time stamp that is known"):
        time_ns("10 Oct 2018", None)
