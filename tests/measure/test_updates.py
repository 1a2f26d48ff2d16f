"""When a counter was brought up to date: always within the time stated, and closely if watched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.updates import ages_s, detect_updates
from tests.lab.waves import Sensor, Setting, constant

SEEDS = st.integers(0, 2**32 - 1)


def watched(seed: int, *, followed: bool, jitter: float = 0.0) -> tuple[Setting, np.ndarray]:
    """Readings of a steady counter, and the moments at which it was brought up to date."""
    rng = np.random.default_rng(seed)
    update_s = 10 ** rng.uniform(-1.7, -0.5)
    sensor = Sensor(update_s=update_s, phase_s=rng.uniform(0, update_s))
    setting = Setting(
        constant(100.0),
        sensor,
        "counter",
        (5.0, 5.0 + rng.uniform(1, 4)),
        grid_phase_s=rng.uniform(0, 0.1),
        followed=followed,
    )
    count = int(12 / update_s)
    moments = sensor.phase_s + update_s * np.arange(count)
    return setting, moments + jitter * update_s * rng.uniform(-0.5, 0.5, count)


@settings(max_examples=300)
@given(SEEDS, st.booleans(), st.sampled_from([0.0, 0.05]))
def test_every_update_came_within_the_time_that_is_stated(seed, followed, jitter):
    setting, moments = watched(seed, followed=followed, jitter=jitter)
    t_s = setting.stamps_s()
    seen = np.searchsorted(moments, t_s, side="right") - 1
    known = detect_updates(t_s, np.zeros(len(t_s)), seen.astype(float), setting.sensor.update_s)
    true_s = moments[known.total_j.astype(int)]
    assert (np.diff(known.t_s) > 0).all()
    # An update that jitters may be later than one period after the one before it.
    slack_s = jitter * setting.sensor.update_s + 1e-9
    assert (np.abs(true_s - known.t_s)[1:] <= known.half_s[1:] + slack_s).all()


@settings(max_examples=100)
@given(SEEDS)
def test_watching_after_a_mark_fixes_the_updates_on_both_sides_of_the_edge(seed):
    setting, _ = watched(seed, followed=True)
    t_s = setting.stamps_s()
    shown = setting.sensor.joules(setting.wave, t_s)
    known = detect_updates(t_s, np.zeros(len(t_s)), shown, setting.sensor.update_s)
    for edge_s in setting.window_s:
        near = int(np.searchsorted(known.t_s, edge_s))
        # Half of the spacing of the looks, and twice the jitter that is allowed for.
        assert known.half_s[near] <= setting.sensor.update_s / 20
        assert known.half_s[near - 1] <= setting.sensor.update_s / 8


def test_a_counter_that_does_not_lag_was_brought_up_to_date_at_every_reading():
    t_s, joules = np.arange(4.0), np.array([0.0, 1.0, 1.0, 2.0])
    known = detect_updates(t_s, np.zeros(4), joules, 0.0)
    assert known.t_s.tolist() == t_s.tolist()
    assert known.total_j.tolist() == joules.tolist()
    assert not known.half_s.any()


def test_a_value_that_stands_for_long_is_a_stretch_without_power_and_no_lag():
    t_s = np.arange(0.0, 3.0, 0.1)
    joules = np.where(t_s < 1.05, t_s * 100, 100.0)
    known = detect_updates(t_s, np.zeros(len(t_s)), joules, 0.1)
    assert np.interp(2.5, known.t_s, known.total_j) == 100.0
    assert known.total_j[-1] == known.total_j[-5] == 100.0


def test_one_value_looked_at_twice_within_a_period_is_one_update():
    t_s, joules = np.array([0.0, 0.06, 0.12]), np.array([5.0, 5.0, 9.0])
    known = detect_updates(t_s, np.zeros(3), joules, 0.1)
    assert known.total_j.tolist() == [5.0, 9.0]
    # It still stood at 0.06 s, and the next one was there by 0.12 s.
    first = (known.t_s[0] - known.half_s[0], known.t_s[0] + known.half_s[0])
    assert first == pytest.approx((0.06 - 1.05 * 0.1, 0.0))


def test_a_reading_is_as_old_as_the_last_one_that_showed_another_value_allows():
    t_s, u_s = np.array([0.0, 0.03, 0.05, 0.06, 0.5]), np.full(5, 0.001)
    changed = np.array([False, True, False, True])
    result = ages_s(t_s, u_s, changed, 0.1)
    assert result == pytest.approx([0.101, 0.101, 0.05 - 0.03 + 0.002, 0.03 + 0.002, 0.101])
