"""The area under power readings, its edges, and the part of time that a sensor sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure import power
from harness.measure.series import Series
from tests.lab.waves import Sensor, Setting, Steps, constant


def test_the_area_is_that_of_the_line_with_its_ends_carried_on():
    t_s, watts = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 20.0])
    assert power.integrate(t_s, watts, 1.0, 3.0) == pytest.approx(35.0)
    assert power.integrate(t_s, watts, 0.0, 1.0) == pytest.approx(10.0)
    assert power.integrate(t_s, watts, 1.5, 2.5) == pytest.approx(8.75 + 10)
    assert power.integrate(t_s, watts, 3.0, 5.0) == pytest.approx(40.0)


@given(st.lists(st.floats(0, 500), min_size=3, max_size=40), st.floats(0.1, 0.9))
def test_areas_of_parts_add_up(watts, share):
    t_s = np.asarray(np.arange(len(watts)) * 0.1, dtype=np.float64)
    end_s = float(t_s[-1])
    whole = power.integrate(t_s, np.array(watts), 0.0, end_s)
    middle_s = share * end_s
    parts = [
        power.integrate(t_s, np.array(watts), *item)
        for item in ((0.0, middle_s), (middle_s, end_s))
    ]
    assert sum(parts) == pytest.approx(whole, rel=1e-9, abs=1e-9)


def bound_of(window_s: float, power_w: float = 200.0) -> tuple[float, float]:
    # It flickers as real ones do: only changed values are surely of different updates.
    sensor = Sensor(update_s=0.1, window_s=window_s)
    setting = Setting(constant(power_w), sensor, "sampled", (5.0, 25.0), gain_error=0.0)
    part = power.measure(setting.trace().columns["gpu-0"], setting.domain(), 5.0, 25.0)
    assert part.bound_j is not None
    return part.bound_j


def test_a_sensor_that_looks_all_the_time_has_a_narrow_bound():
    low_j, high_j = bound_of(0.1)
    assert low_j <= 4000 <= high_j
    assert high_j - low_j < 0.4 * 4000


def test_a_sensor_that_looks_at_a_quarter_of_the_time_has_a_wide_one():
    low_j, high_j = bound_of(0.025)
    assert low_j == pytest.approx(1000, rel=0.25)
    assert high_j == pytest.approx(1000 + 0.75 * 8000, rel=0.1)


def test_an_unknown_window_leaves_the_whole_range():
    setting = Setting(constant(200.0), Sensor(), "sampled", (5.0, 25.0), gain_error=0.0)
    domain = setting.domain(averaging_window_s=None)
    part = power.measure(setting.trace().columns["gpu-0"], domain, 5.0, 25.0)
    assert part.bound_j is not None
    assert part.bound_j[0] == 0.0
    assert part.bound_j[1] == pytest.approx(400.0 * 20)


def test_a_course_in_lockstep_is_within_the_bound_if_not_within_the_uncertainty():
    """Pulses that the sensor never sees: the worst case of a 25 ms window."""
    edges = np.arange(0.0, 30.0, 0.05)
    watts = np.where(np.arange(len(edges) - 1) % 2 == 0, 390.0, 10.0)
    sensor = Sensor(update_s=0.1, window_s=0.025, flicker_w=0.0)
    setting = Setting(Steps(edges, watts), sensor, "sampled", (5.0, 25.0))
    part = power.measure(setting.trace().columns["gpu-0"], setting.domain(), 5.0, 25.0)
    assert part.bound_j is not None
    assert part.bound_j[0] <= setting.truth_j <= part.bound_j[1]
    assert abs(part.energy_j - setting.truth_j) > 0.5 * setting.truth_j


def test_a_gap_is_bridged_and_paid_for():
    setting = Setting(constant(200.0), Sensor(), "sampled", (5.0, 25.0))
    column = setting.trace().columns["gpu-0"]
    kept = np.flatnonzero((column.t_s < 10) | (column.t_s > 12))
    part = power.measure(column.at(kept), setting.domain(), 5.0, 25.0)
    assert part.coverage_ratio == pytest.approx(0.9, abs=0.02)
    assert part.terms["gaps"] == pytest.approx(2.0 * 200.0, rel=0.1)
    assert part.reason


def test_steps_between_readings_count_as_doubt():
    t_ns = (np.arange(101) * 1e8).astype(np.int64)
    restless = np.where(np.arange(101) % 2, 300.0, 100.0)
    nothing = np.full(101, np.nan)
    domain = Setting(constant(1), Sensor(), "sampled", (0, 10)).domain()
    terms = power.measure(Series(t_ns, nothing, restless, np.zeros(101)), domain, 0.0, 10.0).terms
    assert terms["aliasing"] == pytest.approx(2 * 10 * 20.0 / np.sqrt(12), rel=1e-6)
    quiet = power.measure(
        Series(t_ns, nothing, np.full(101, 200.0), np.zeros(101)), domain, 0.0, 10.0
    ).terms
    assert quiet["aliasing"] == 0.0


def test_a_long_average_pays_for_what_it_smears():
    """A step just before the window: an average over a second has not seen it yet."""
    wave = Steps(np.array([-10.0, 4.9, 100.0]), np.array([100.0, 300.0]))
    sensor = Sensor(update_s=0.1, window_s=1.0)
    setting = Setting(wave, sensor, "sampled", (5.0, 5.6), lead_s=0.1)
    column = Setting(wave, sensor, "sampled", (5.0, 5.6), lead_s=2.0).trace().columns["gpu-0"]
    seen = column.at(np.flatnonzero(column.t_s < 5.7))
    part = power.measure(seen, setting.domain(), 5.0, 5.6)
    doubt = float(np.linalg.norm(list(part.terms.values())))
    assert abs(part.energy_j - setting.truth_j) <= doubt
