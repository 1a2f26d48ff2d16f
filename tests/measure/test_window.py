"""The averaging window is inferred where the readings show it, and only there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.measure.audit import audit
from harness.measure.energy import Energy, EnergyReader
from harness.measure.trace import Trace
from harness.measure.window import AveragingWindow
from harness.records import Domain
from tests.lab.measured import energy
from tests.lab.waves import Sensor, Setting, constant, random_sines, random_steps

SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.sampled_from([0.2, 0.25, 1.0, 10.0])


def window_of(trace: Trace, domain: Domain) -> AveragingWindow | None:
    return EnergyReader(trace, [domain]).averaging_window(domain.name)


def card(seed: int, share: float, *, update_s: float = 0.1, jumps: bool = True) -> Setting:
    """A counter and a power sensor over a restless course, averaging over a part of the update."""
    rng = np.random.default_rng(seed)
    begin_s = rng.uniform(4, 5)
    until_s = begin_s + rng.uniform(8, 30)
    restless = jumps and rng.random() < 0.5
    sensor = Sensor(
        update_s=update_s,
        window_s=share * update_s,
        phase_s=rng.uniform(0, update_s),
        gain=1 + rng.uniform(-0.05, 0.05),
        flicker_w=0.2,
    )
    return Setting(
        random_steps(rng, until_s + 5, 50.0, 400.0) if restless else random_sines(rng, 4.0, 400.0),
        sensor,
        "sampled",
        (begin_s, until_s),
        grid_phase_s=rng.uniform(0, 0.1),
        followed=bool(rng.random() < 0.5),
    )


def instant(setting: Setting, stated_s: float, **changes: object) -> Domain:
    """The domain of the power sensor, with the window that somebody states for it."""
    fields = {"name": "gpu-0-instant", "parents": ("gpu-0",), "averaging_window_s": stated_s}
    return setting.sampled().domain(**(fields | changes))


def inferred(setting: Setting) -> AveragingWindow | None:
    return window_of(setting.beside(), instant(setting, 0.1))


def test_an_inferred_window_contains_the_true_one_and_most_are_inferred():
    seen: list[tuple[bool, bool, bool]] = []

    @settings(max_examples=400, database=None)
    @given(SEEDS, SHARES)
    def collect(seed: int, share: float) -> None:
        setting = card(seed, share)
        result = inferred(setting)
        true_s = setting.sensor.window_s
        wrong_s = 0.025 if share == 1.0 else 0.1
        holds = result is None or not result.contradicts(true_s)
        seen.append((result is not None, holds, result is not None and result.contradicts(wrong_s)))

    collect()
    some, holds, refuted = (np.array(column) for column in zip(*seen, strict=True))
    assert holds.mean() >= 0.95
    assert some.mean() >= 0.5
    assert refuted[some].mean() >= 0.9


@settings(max_examples=100)
@given(st.floats(20, 380), SHARES)
def test_power_that_does_not_change_shows_nothing(watts, share):
    setting = replace(card(1, share), wave=constant(watts))
    assert inferred(setting) is None


@settings(max_examples=100)
@given(SEEDS, st.sampled_from([0.25, 0.5, 1.0]))
@example(16753454, 0.25)
def test_updates_that_were_not_all_seen_show_nothing_of_a_shorter_window(seed, share):
    assert inferred(card(seed, share, update_s=0.02)) is None


def test_too_few_updates_or_no_counter_show_nothing():
    setting = replace(card(3, 0.25), window_s=(4.0, 4.2), lead_s=0.5, followed=False)
    assert inferred(setting) is None
    trace = card(3, 0.25).beside()
    alone = instant(card(3, 0.25), 0.1, parents=())
    assert window_of(trace, alone) is None
    assert window_of(trace, instant(card(3, 0.25), 0.1, update_period_s=None)) is None


def test_a_counter_that_fell_shows_nothing():
    setting = card(5, 0.25, jumps=False)
    trace = setting.beside()
    trace.columns["gpu-0"].energy_j[40:] -= 300.0
    assert window_of(trace, instant(setting, 0.1)) is None


def figure(setting: Setting, stated_s: float, **changes: object) -> Energy:
    begin_ns, end_ns = setting.window_ns
    return energy(setting.beside(), instant(setting, stated_s, **changes), begin_ns, end_ns)


@settings(max_examples=300)
@given(SEEDS, st.sampled_from([0.2, 0.25, 0.5, 1.0]), st.sampled_from([0.025, 0.1]))
def test_the_hard_bound_holds_whatever_window_is_stated_if_the_least_one_is_true(
    seed, share, stated_s
):
    """With `averaging_window_low_s` below the truth, as `nvml` states it for every card."""
    setting = card(seed, share)
    result = figure(setting, max(stated_s, 0.1), averaging_window_low_s=0.017)
    assert result.bound_j is not None
    assert result.bound_j[0] - 1e-6 <= setting.truth_j <= result.bound_j[1] + 1e-6


def test_a_window_that_the_readings_contradict_widens_bound_and_doubt():
    setting = card(7, 0.2, jumps=False)
    right, wrong = figure(setting, 0.02), figure(setting, 0.1)
    assert right.bound_j is not None
    assert wrong.bound_j is not None
    assert wrong.bound_j[0] <= setting.truth_j <= wrong.bound_j[1]
    assert wrong.bound_j[1] - wrong.bound_j[0] >= right.bound_j[1] - right.bound_j[0]
    assert wrong.terms["edges"] >= right.terms["edges"]
    findings = audit(setting.beside(), [instant(setting, 0.1)], setting.window_ns)
    assert [item.rule for item in findings] == ["averaging-window"]
    assert "not over the 100 ms" in findings[0].message


@pytest.mark.parametrize("share", [0.25, 1.0, 10.0])
@pytest.mark.parametrize("seed", [2, 3, 5, 8])
def test_a_window_that_is_stated_right_is_accepted(seed, share):
    setting = card(seed, share, jumps=False)
    stated = instant(setting, setting.sensor.window_s)
    findings = audit(setting.beside(), [stated], setting.window_ns)
    assert "averaging-window" not in {item.rule for item in findings}


@pytest.mark.parametrize(
    ("stated_s", "refuted"), [(0.02, False), (0.04, False), (0.1, True), (0.001, True)]
)
def test_a_window_is_refuted_outside_of_the_range_alone(stated_s, refuted):
    assert AveragingWindow(0.03, 0.01, 0.05).contradicts(stated_s) == refuted
