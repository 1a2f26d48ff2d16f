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
from harness.powerlogs.log import LineError, joules_of, sort_by_time, time_ns

WATTS = st.floats(0, 1e5)
POINTS = st.lists(st.tuples(st.floats(0, 1e5), WATTS), min_size=2, max_size=20)
TEXT = Text(Path("in/power.csv"), [], "aa", whole=True)


def readings(points: list[tuple[float, float]]) -> list[Reading]:
    return [Reading(round(t_s * NS_PER_S), "wall", None, watts) for t_s, watts in points]


def trapezoid(points: list[tuple[float, float]]) -> float:
    return joules_of(readings(points)) or 0.0


@given(st.floats(0, 1e5), st.lists(st.floats(0, 1e5), min_size=2, unique=True))
def test_constant_power_is_power_times_time(watts: float, times: list[float]) -> None:
    times.sort()
    result = trapezoid([(time, watts) for time in times])
    assert result == pytest.approx(watts * (times[-1] - times[0]), rel=1e-9, abs=1e-9)


@given(POINTS, st.integers(0, 19))
def test_a_cut_at_a_reading_loses_no_joules(points: list[tuple[float, float]], cut: int) -> None:
    points.sort()
    at = min(cut, len(points) - 1)
    parts = trapezoid(points[: at + 1]) + trapezoid(points[at:])
    assert parts == pytest.approx(trapezoid(points), rel=1e-9, abs=1e-9)


@given(POINTS, st.floats(-1e4, 1e4))
def test_joules_do_not_hang_on_the_clocks_zero(
    points: list[tuple[float, float]], shift: float
) -> None:
    points.sort()
    moved = [(time + shift, watts) for time, watts in points]
    assert trapezoid(moved) == pytest.approx(trapezoid(points), rel=1e-6, abs=1e-3)


@given(POINTS)
def test_milliwatts_are_a_thousandth(points: list[tuple[float, float]]) -> None:
    milli = [(time, watts * 1000) for time, watts in points]
    assert trapezoid(milli) / 1000 == pytest.approx(trapezoid(points), rel=1e-6, abs=1e-6)


@given(POINTS)
def test_readings_out_of_order_are_sorted_and_reported(points: list[tuple[float, float]]) -> None:
    own = readings(points)
    back = any(a.t_ns > b.t_ns for a, b in pairwise(own))
    findings = sort_by_time(TEXT, "made-order", own)
    assert sorted(own) == sorted(readings(points))
    assert all(a.t_ns <= b.t_ns for a, b in pairwise(own))
    assert [finding.rule for finding in findings] == (["made-order"] if back else [])
    assert all("power.csv: readings are out of order" in finding.message for finding in findings)
    assert sort_by_time(TEXT, "made-order", own) == []


def test_a_counter_gives_the_difference_of_its_ends() -> None:
    counter = [Reading(t_ns, "cpu", joules, None) for t_ns, joules in ((0, 5.0), (9, 7.5))]
    assert joules_of(counter) == 2.5
    assert joules_of(counter[:1]) is None


def test_stamps() -> None:
    assert time_ns("2018/10/10 13:06:03.419", UTC) == 1_539_176_763_419_000_000
    with pytest.raises(LineError, match="no time stamp that is known"):
        time_ns("10 Oct 2018", None)
