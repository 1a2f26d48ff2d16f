"""A trial of meters on the idle machine."""

import numpy as np
import pytest

from harness.measure.choice import MeterChoice
from harness.measure.series import Series
from harness.measure.trial import evaluate_trial, try_meters
from tests.lab.waves import Sensor, Setting, constant, random_steps


def test_a_trial_runs_the_real_sampler():
    fake = MeterChoice(name="fake", target="harness.meters.fake", options={"watts": "70"})
    lost = MeterChoice(name="lost", target="harness.meters.no_such_meter")
    result = try_meters([fake, lost], duration_s=0.6)
    (domain,) = result.domains
    assert domain.mean_w == pytest.approx(70, rel=0.1)
    assert domain.readings_count >= 8
    assert "no_such_meter" in result.failed["lost"]
    assert result.faults == ()


def test_nothing_to_try_shows_nothing():
    result = try_meters([], duration_s=0.0)
    assert result.domains == ()


def test_the_pace_of_a_slow_sensor_is_measured():
    setting = Setting(constant(100), Sensor(update_s=0.5), "sampled", (2.0, 12.0), period_s=0.05)
    result = evaluate_trial(setting.domain(update_period_s=0.1), setting.trace().columns["gpu-0"])
    assert result.update_period_s == pytest.approx(0.5, abs=0.06)
    assert result.stated_period_s == 0.1
    assert result.mean_w == pytest.approx(100, rel=0.01)
    assert result.noise_w is not None
    assert result.noise_w < 0.1


def test_two_readings_close_together_are_no_power_of_their_own():
    """A counter that moved between them would show thousands of watts."""
    setting = Setting(constant(100), Sensor(update_s=0.05), "counter", (2.0, 3.0), lead_s=0.3)
    column = setting.trace().columns["gpu-0"]
    t_s = np.sort(np.concatenate((column.t_s, [2.5499, 2.5501])))
    joules = setting.sensor.joules(setting.wave, t_s)
    nothing = np.full(len(t_s), np.nan)
    series = Series(np.round(t_s * 1e9).astype(np.int64), joules, nothing, np.zeros(len(t_s)))
    result = evaluate_trial(setting.domain(), series)
    assert result.mean_w == pytest.approx(100, rel=0.05)
    assert result.noise_w is not None
    assert result.noise_w < 100


def test_noise_is_the_spread_of_the_power():
    wave = random_steps(np.random.default_rng(1), 20, 50.0, 150.0)
    setting = Setting(wave, Sensor(update_s=0.001), "counter", (2.0, 12.0))
    result = evaluate_trial(setting.domain(), setting.trace().columns["gpu-0"])
    assert result.noise_w is not None
    assert 10 < result.noise_w < 60


def test_a_sensor_that_stands_still_has_no_pace():
    setting = Setting(constant(5), Sensor(flicker_w=0.0), "sampled", (2.0, 4.0))
    result = evaluate_trial(setting.domain(), setting.trace().columns["gpu-0"])
    assert result.update_period_s is None
    assert result.mean_w == 5.0
