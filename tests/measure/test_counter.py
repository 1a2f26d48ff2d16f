"""Steps of a counter: which are true, which are wraps, which are nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure import counter
from harness.measure.series import Series
from harness.records import Domain
from tests.lab.measured import energy
from tests.lab.waves import SHAPES, Sensor, Setting, constant

DOMAIN = Setting(constant(1), Sensor(update_s=0.001), "counter", (0, 1)).domain()


def series(*joules: float, step_s: float = 0.1) -> Series:
    count = len(joules)
    t_ns = (np.arange(count) * step_s * 1e9).astype(np.int64)
    return Series(t_ns, np.array(joules), np.full(count, np.nan), np.zeros(count))


def domain(**changes: object) -> Domain:
    return replace(DOMAIN, **changes)  # type: ignore[arg-type]


@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=60),
    st.integers(100, 1000),
    st.integers(0, 99),
)
def test_unfolding_undoes_any_wrap_exactly(gains, wrap, start):
    true = start + np.concatenate(([0], np.cumsum(gains)))
    case = domain(wrap_j=float(wrap), update_period_s=None)
    result = counter.unfold(series(*np.mod(true, wrap).astype(float)), case)
    assert result.valid.all()
    assert result.gained_j.tolist() == [float(gain) for gain in gains]
    assert result.wrapped.sum() == true[-1] // wrap - true[0] // wrap


@pytest.mark.parametrize(
    ("joules", "changes", "valid"),
    [
        ((0, 10, 20), {}, [True, True]),
        ((0, 10, 500), {}, [True, False]),
        ((100, 110, 5), {}, [True, False]),
        ((100, 110, 5), {"wrap_j": 120.0}, [True, True]),
        ((100, 110, 5), {"wrap_j": 4000.0}, [True, False]),
        ((0, 10, 500), {"power_high_w": None}, [True, True]),
        ((3990, 3999, 5), {"wrap_j": 4000.0, "power_high_w": None}, [True, True]),
        ((990, 1999, 5), {"wrap_j": 4000.0, "power_high_w": None}, [True, False]),
    ],
)
def test_a_step_is_true_only_where_power_or_wrap_explains_it(joules, changes, valid):
    result = counter.unfold(series(*map(float, joules)), domain(**changes))
    assert result.valid.tolist() == valid


def test_a_read_so_late_that_two_wraps_fit_is_invalid():
    late = series(0.0, 10.0, step_s=10.0)
    assert counter.unfold(late, domain(wrap_j=1000.0)).valid.tolist() == [False]
    assert counter.unfold(late, domain(wrap_j=100_000.0)).valid.tolist() == [True]


def test_a_lost_step_is_filled_from_power_where_there_is_any():
    given_j = series(0.0, 10.0, 5.0, 15.0)
    with_power = Series(given_j.t_ns, given_j.energy_j, np.full(4, 100.0), given_j.u_ns)
    result = counter.unfold(with_power, domain())
    assert result.gained_j[1] == pytest.approx(10.0)
    assert not result.valid[1]


def test_a_counter_without_one_true_step_gives_nothing():
    result = counter.unfold(series(30.0, 20.0, 10.0), domain())
    assert result.gained_j.tolist() == [0.0, 0.0]
    part = counter.measure(series(30.0, 20.0, 10.0), domain(), 0.0, 0.2)
    assert part.coverage_ratio == 0.0


def test_without_a_power_range_there_is_no_bound():
    part = counter.measure(series(0.0, 10.0, 20.0), domain(power_high_w=None), 0.0, 0.2)
    assert part.bound_j is None
    assert part.energy_j == pytest.approx(20.0)


def test_an_unknown_step_is_taken_from_the_readings():
    result = counter.CounterProperties.of(domain(resolution_j=None), series(0.0, 0.5, 2.0))
    assert result.step_j == 0.5
    result = counter.CounterProperties.of(
        domain(resolution_j=None, method="modelled"), series(0.0, 0.5, 2.0)
    )
    assert result.step_j == 0.0


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=60)
@given(
    st.tuples(st.floats(0, 2), st.floats(0.4, 3)),
    st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)),
    st.floats(0.97, 1.03),
    st.booleans(),
)
def test_a_window_of_a_few_updates_has_the_truth_inside(shape, window, phases, gain, followed):
    """The courses of the lab: their steps and pulses are longer than one update of the card."""
    setting = Setting(
        SHAPES[shape],
        Sensor(update_s=0.1, phase_s=phases[0], gain=gain),
        "counter",
        (5.0 + window[0], 5.0 + sum(window)),
        grid_phase_s=phases[1],
        high_w=600.0,
        gain_error=0.06,
        followed=followed,
    )
    result = energy(setting.trace(), setting.domain(), *setting.window_ns)
    assert result.energy_j is not None
    assert result.u_j is not None
    assert abs(result.energy_j - setting.truth_j) <= result.u_j


def test_watching_the_updates_at_the_edges_makes_the_doubt_smaller():
    doubts = []
    for followed in (False, True):
        setting = Setting(
            constant(300.0), Sensor(update_s=0.1, phase_s=0.03), "counter", (5.0, 6.0),
            grid_phase_s=0.06, followed=followed,
        )  # fmt: skip
        part = counter.measure(setting.trace().columns["gpu-0"], setting.domain(), 5.0, 6.0)
        assert part.bound_j is not None
        doubts.append((part.terms["edges"], part.bound_j[1] - part.bound_j[0]))
    (plain_j, wide_j), (followed_j, narrow_j) = doubts
    assert followed_j < plain_j / 2.5
    assert narrow_j < wide_j


def test_looks_close_together_are_not_counted_as_readings_of_their_own():
    setting = Setting(constant(300.0), Sensor(), "counter", (5.0, 8.0), followed=True)
    series_ = setting.trace().columns["gpu-0"]
    counted = counter.measure(series_, setting.domain(), 5.0, 8.0).readings_count
    looked = int(((series_.t_s >= 5.0) & (series_.t_s <= 8.0)).sum())
    assert looked > 50
    assert 28 <= counted <= 36


@settings(max_examples=40)
@given(
    st.lists(st.floats(0, 40), min_size=3, max_size=40),
    st.lists(st.tuples(st.floats(-0.2, 2), st.floats(0.05, 2)), min_size=2, max_size=5),
    st.sampled_from([0.0, 0.1, 0.25]),
)
def test_windows_asked_for_before_change_nothing(gains, spans, update_s):
    """What is kept of an edge is what a trace that was never asked says, resets included."""
    joules = np.cumsum(gains)
    joules[len(joules) // 2 :] -= gains[0]
    case = domain(update_period_s=update_s, wrap_j=None)
    asked = series(*joules.tolist())
    windows = [(begin_s, begin_s + length_s) for begin_s, length_s in spans]
    windows += [(windows[0][0], windows[0][1] + 0.5), (windows[0][1], windows[0][1] + 1.0)]
    result = [counter.measure(asked, case, *window) for window in windows]
    fresh = [counter.measure(series(*joules.tolist()), case, *window) for window in windows]
    assert result == fresh
