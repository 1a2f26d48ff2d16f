"""Columns of readings: order, doubles, overlaps and gaps."""

import gc
import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.series import (
    Series,
    around,
    distinct_count,
    gap_max_s,
    nominal_period_s,
    overlap_s,
)

NAN = float("nan")


def series(*rows: tuple[int, float, float]) -> Series:
    t_ns, joules, watts = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Series(t_ns.astype(np.int64), joules, watts, np.zeros(len(rows)))


def test_the_last_of_readings_with_one_stamp_counts():
    result = series((3, 30, NAN), (1, 10, NAN), (1, 11, NAN), (2, NAN, 5)).with_energy()
    assert result.t_ns.tolist() == [1, 3]
    assert result.energy_j.tolist() == [11, 30]


def test_missing_fields_leave_their_reading_out():
    both = series((1, 10, NAN), (2, NAN, 5.0), (3, 30, 6.0))
    assert both.with_energy().t_ns.tolist() == [1, 3]
    assert both.with_power().power_w.tolist() == [5.0, 6.0]
    assert len(series((1, NAN, 1.0)).with_energy().t_ns) == 0


@given(st.floats(0, 10), st.floats(0.1, 10))
def test_overlaps_of_adjoining_intervals_add_up_to_the_window(begin_s, length_s):
    edges = np.linspace(-1, 25, 53)
    result = overlap_s(edges[:-1], edges[1:], begin_s, begin_s + length_s)
    assert result.sum() == pytest.approx(length_s)
    assert (result >= 0).all()


def test_the_readings_around_a_window_enclose_it():
    t_s = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    assert around(t_s, 1.5, 2.5) == slice(1, 4)
    assert around(t_s, 1.0, 3.0) == slice(1, 4)
    assert around(t_s, -5.0, 9.0) == slice(0, 5)


def test_time_without_readings_at_the_ends_is_a_gap_too():
    t_s = np.array([1.0, 1.5, 3.0])
    assert gap_max_s(t_s, 1.0, 3.0) == 1.5
    assert gap_max_s(t_s, 1.0, 9.0) == 6.0
    assert gap_max_s(t_s, -4.0, 1.2) == 5.0


def test_the_usual_period_is_the_median():
    assert nominal_period_s(np.array([0.0, 0.1, 0.2, 5.0, 5.1])) == pytest.approx(0.1)


@given(
    st.lists(st.integers(0, 4_000), max_size=60),
    st.tuples(st.integers(-10, 4_000), st.integers(0, 4_000)),
    st.sampled_from([0.0, 0.02, 0.1, 0.7]),
)
def test_readings_within_half_an_update_count_once(stamps_ms, window_ms, update_s):
    t_s = np.array(sorted(stamps_ms)) / 1000
    a_s, b_s = window_ms[0] / 1000, sum(window_ms) / 1000
    inside = [t for t in t_s.tolist() if a_s <= t <= b_s]
    halves = inside if not update_s else {math.floor(t / (update_s / 2)) for t in inside}
    assert distinct_count(t_s, a_s, b_s, update_s) == len(halves)


def test_a_series_is_gone_with_its_last_use():
    """One that held itself would stay until the collector comes: ten thousand traces at once."""
    result = series((1, 10, 5.0), (2, 20, 6.0))
    assert result.with_energy() is result.with_power() is result
    gone = weakref.ref(result)
    gc.disable()
    try:
        del result
        assert gone() is None
    finally:
        gc.enable()
