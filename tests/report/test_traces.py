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
from harness.report.traces import envelope, power_of, trace_of
from tests.report.made import Made

HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"


def written(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress((HEADER + rows).encode(), mtime=0))
    return path


def read_power(path: Path, wraps_j: dict[str, float | None]) -> list[PowerSeries]:
    fields = {"kind": "cpu", "method": "counter", "meter": "m", "source": "s"}
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
