import base64
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.energy import PowerSeries
from harness.measure.trace import read_trace
from harness.records import Domain
from harness.report.entries import EntryRun
from harness.report.traces import PackedSeries, envelope, packed, power_of, thinned, trace_of
from tests.report.made import Made

HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"


def written(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress((HEADER + rows).encode(), mtime=0))
    return path


def read_power(path: Path, wraps_j: dict[str, float | None]) -> list[PowerSeries]:
    fields = {"kind": "cpu", "method": "counter", "meter": "m", "source": "s", "power_high_w": 50.0}
    domains = [
        Domain(**({"name": name, "wrap_j": wrap_j} | fields))  # type: ignore[arg-type]
        for name, wrap_j in wraps_j.items()
    ]
    return power_of(read_trace(path), domains)


def test_power_readings_are_taken_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, "0,gpu-0,,10.5,0\n1000000000,gpu-0,,20.0,0\n")
    (series,) = read_power(path, {})
    assert series.domain == "gpu-0"
    assert series.t_s.tolist() == [0.0, 1.0]
    assert series.power_w.tolist() == [10.5, 20.0]


def test_counters_give_power_by_difference(tmp_path: Path) -> None:
    path = written(tmp_path, "0,cpu,5.0,,0\n500000000,cpu,10.0,,0\n1000000000,cpu,11.0,,0\n")
    (series,) = read_power(path, {})
    assert series.t_s.tolist() == [0.5, 1.0]
    assert series.power_w.tolist() == [10.0, 2.0]


def test_a_wrap_is_undone_where_its_size_is_known_and_left_out_where_not(tmp_path: Path) -> None:
    path = written(tmp_path, "0,cpu,99.0,,0\n1000000000,cpu,1.0,,0\n2000000000,cpu,4.0,,0\n")
    assert read_power(path, {"cpu": 100.0})[0].power_w.tolist() == [2.0, 3.0]
    assert read_power(path, {"cpu": None})[0].power_w.tolist() == [3.0]


def test_domains_come_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "0,b,,1.0,0\n0,a,,1.0,0\n9,b,,1.0,0\n9,a,,1.0,0\n")
    assert [series.domain for series in read_power(path, {})] == ["a", "b"]


@pytest.mark.parametrize("data", [b"", b"\x1f\x8bgarbage", b"not,a,trace\n"])
def test_what_is_no_trace_is_none(made: Made, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "trace.csv.gz").write_bytes(data)
    assert trace_of(EntryRun(made.scores[0].runs[0], tmp_path)) is None


def test_a_trace_without_rows_gives_nothing(tmp_path: Path) -> None:
    assert read_power(written(tmp_path, ""), {}) == []


watts = st.lists(st.floats(0, 1e4), min_size=2, max_size=400)


@given(watts, st.integers(1, 50))
def test_an_envelope_holds_every_reading_between_its_edges(power: list[float], bins: int) -> None:
    series = PowerSeries("d", np.linspace(0, 7, len(power)), np.array(power))
    thin = envelope(series, bins)
    assert len(thin.t_s) <= bins
    assert np.all(thin.low_w <= thin.mean_w + 1e-9)
    assert np.all(thin.mean_w <= thin.high_w + 1e-9)
    assert thin.low_w.min() == min(power)
    assert thin.high_w.max() == max(power)
    assert np.all(np.diff(thin.t_s) > 0)


def test_an_envelope_keeps_the_energy_of_an_even_trace() -> None:
    random = np.random.default_rng(0)
    power = 30 + random.normal(0, 5, 10_000)
    thin = envelope(PowerSeries("d", np.arange(10_000) / 100, power), 400)
    assert thin.mean_w.mean() == pytest.approx(power.mean(), rel=1e-4)


watts = st.lists(st.floats(0.0, 500.0), min_size=1, max_size=300)


def series(values: list[float], step_s: float = 0.1, start_s: float = 0.0) -> PowerSeries:
    t_s = start_s + np.cumsum(np.full(len(values), step_s))
    return PowerSeries("cpu", t_s, np.array(values, dtype=float))


def unpacked(readings: PackedSeries) -> tuple[np.ndarray, np.ndarray]:
    """As the script of the page reads it."""
    t = np.frombuffer(base64.b64decode(readings.t), "<u4")
    w = np.frombuffer(base64.b64decode(readings.w), "<u2")
    return readings.start + t * readings.step_s, w * readings.step_w


@given(watts, st.floats(0.001, 100.0), st.floats(0.0, 1e5))
def test_packed_readings_are_right_to_within_a_step(
    values: list[float], step_s: float, start_s: float
) -> None:
    original = series(values, step_s, start_s)
    readings = packed(original, 10**5, start_s)
    t_s, power_w = unpacked(readings)
    span_s = original.t_s[-1] - original.t_s[0]
    # Nine digits of the start and of each step, and the rounding to whole steps.
    limit_s = 1e-8 * (span_s + step_s) + 1e-9 * start_s
    assert np.abs(t_s - (original.t_s - start_s)).max() <= limit_s
    assert np.abs(power_w - original.power_w).max() <= (max(values) + 1e-300) / 65535
    assert readings.every == 1.0


@given(watts, st.integers(4, 60))
def test_thinned_traces_keep_their_extremes_in_order(values: list[float], most: int) -> None:
    original = series(values)
    kept = thinned(original, most)
    assert len(kept.t_s) <= max(most, len(values) if len(values) <= most else 0)
    assert kept.power_w.max() == max(values)
    assert kept.power_w.min() == min(values)
    assert (np.diff(kept.t_s) > 0).all()
    assert set(zip(kept.t_s, kept.power_w, strict=True)) <= set(
        zip(original.t_s, original.power_w, strict=True)
    )


def test_what_is_kept_fits_however_long_the_trace_is() -> None:
    original = series([float(i % 97) for i in range(100_000)])
    for points_max in (500, 5_000, 50_000):
        readings = packed(original, points_max, 0.0)
        assert len(readings.t) + len(readings.w) <= 8 * points_max + 8
        assert readings.every * points_max >= 99_000


def test_a_trace_of_zeros_and_one_of_a_single_reading_can_be_packed() -> None:
    assert unpacked(packed(series([0.0, 0.0]), 100, 0.0))[1].tolist() == [0.0, 0.0]
    t_s, power_w = unpacked(packed(series([7.0], 2.0), 100, 0.0))
    assert t_s.tolist() == [2.0]
    assert abs(power_w[0] - 7.0) < 1e-4
