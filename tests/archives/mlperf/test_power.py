"""Joules of power logs as laws: additive in time, linear in watts, blind to a clock's origin."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.mlperf.lines import parse_log
from harness.archives.mlperf.power import (
    Window,
    current_energy,
    integral,
    june_energy,
    power_lines,
    read_power,
)
from tests.archives.mlperf.made import T0_MS, Power, power_events, text_of

watts = st.floats(0.0, 1e4)
series = st.lists(watts, min_size=12, max_size=40)
WINDOW = Window(2500.0, 8500.0)


def points(values: list[float], start_ms: float = 0.0) -> list[tuple[float, float]]:
    """A reading a second."""
    return [(start_ms + 1000.0 * i, value) for i, value in enumerate(values)]


def joules(values: list[tuple[float, float]], window: Window) -> float:
    result = integral(values, window)
    assert result is not None
    return result


@given(series, st.floats(2600.0, 8400.0))
def test_parts_of_a_window_add_up(values: list[float], middle: float) -> None:
    parts = (Window(WINDOW.start_ms, middle), Window(middle, WINDOW.stop_ms))
    total = sum(joules(points(values), part) for part in parts)
    assert total == pytest.approx(joules(points(values), WINDOW), rel=1e-9, abs=1e-6)


@given(series, st.floats(0.1, 10.0))
def test_joules_are_linear_in_watts(values: list[float], factor: float) -> None:
    more = points([factor * value for value in values])
    assert joules(more, WINDOW) == pytest.approx(factor * joules(points(values), WINDOW), abs=1e-6)


@given(series, st.integers(0, 2**41))
def test_the_origin_of_the_clock_does_not_matter(values: list[float], shift: int) -> None:
    moved = Window(WINDOW.start_ms + shift, WINDOW.stop_ms + shift)
    result = joules(points(values, float(shift)), moved)
    assert result == pytest.approx(joules(points(values), WINDOW), rel=1e-6, abs=1e-3)


@given(series)
def test_joules_lie_between_the_extremes(values: list[float]) -> None:
    result = joules(points(values), WINDOW)
    seconds = WINDOW.length_ms / 1000
    assert min(values) * seconds - 1e-6 <= result <= max(values) * seconds + 1e-6


@given(watts)
def test_constant_power_is_power_times_time_by_every_formula(power: float) -> None:
    log = parse_log(Path("x"), text_of(power_events(60.0, Power(watts=power))).splitlines())
    readings = power_lines(log.lines)
    window = Window(T0_MS, T0_MS + 60_000)
    for result in (
        current_energy(readings, window),
        june_energy(readings, window),
        integral(readings.sorted_by_time(), window),
    ):
        assert result == pytest.approx(60 * power, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "window"),
    [
        ([], WINDOW),
        ([(3000.0, 5.0)], WINDOW),
        (points([5.0] * 12), Window(5000.0, 5000.0)),
        (points([5.0] * 12), Window(6000.0, 5000.0)),
        (points([5.0] * 12), Window(60_000.0, 70_000.0)),
        (points([5.0] * 12), Window(0.0, 20_000.0)),
    ],
    ids=["none", "one", "no length", "backwards", "elsewhere", "half"],
)
def test_what_is_not_covered_is_missing_not_zero(
    values: list[tuple[float, float]], window: Window
) -> None:
    assert integral(values, window) is None


def test_the_edges_are_carried_a_little(tmp_path: Path) -> None:
    assert joules(points([5.0] * 12), Window(-1500.0, 11_500.0)) == pytest.approx(65.0)


def test_facts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "node_0.txt"
    path.write_text(text_of(power_events(60.0, Power(conversion=0.9))))
    log = read_power(path, "power/node_0.txt", Window(T0_MS, T0_MS + 60_000))
    assert (log.file.kind, log.file.source) == ("node", "power/node_0.txt")
    assert (log.file.readings_count, log.file.window_readings_count) == (180, 61)
    assert (log.file.span_s, log.file.gap_max_s) == (179.0, 1.0)
    assert (log.file.conversion_ratio, log.file.measured) == (0.9, "AC")
    assert len(log.values) == 180


def test_a_log_without_a_start_gives_nothing_by_mlperfs_formulas(tmp_path: Path) -> None:
    path = tmp_path / "node_0.txt"
    path.write_text(text_of(power_events(60.0, Power())[1:]))
    log = read_power(path, "x", Window(T0_MS, T0_MS + 60_000))
    assert set(log.file.energy_by_method_j) == {"window"}
    assert "no power_measurement_start" in log.findings[0].message
