"""Reading a trace from its file."""

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from harness.measure.trace import TraceError, parse_trace, read_trace
from tests.lab.measured import energy
from tests.lab.waves import Sensor, Setting, constant

HEADER = b"t_ns,domain,energy_j,power_w,u_ns\n"


def test_a_packed_and_a_plain_trace_read_the_same(tmp_path: Path):
    text = HEADER + b"1,gpu-0,1.5,,7\n1,cpu,,20.25,\n5,gpu-0,2.5,3.0,9\n"
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text))
    plain, packed = (read_trace(tmp_path / name) for name in ("a.csv", "b.csv.gz"))
    assert list(plain.columns) == ["gpu-0", "cpu"]
    for name, series in plain.columns.items():
        np.testing.assert_array_equal(series.t_ns, packed.columns[name].t_ns)
    np.testing.assert_array_equal(plain.columns["gpu-0"].energy_j, [1.5, 2.5])
    np.testing.assert_array_equal(plain.columns["gpu-0"].power_w, [np.nan, 3.0])
    np.testing.assert_array_equal(plain.columns["cpu"].power_w, [20.25])
    np.testing.assert_array_equal(plain.columns["cpu"].u_ns, [0.0])


def test_stamps_of_a_hundred_days_keep_every_nanosecond():
    stamps = [8_640_000_000_000_000 + step for step in (0, 1, 2)]
    rows = "".join(f"{stamp},gpu-0,1.0,,0\n" for stamp in stamps)
    trace = parse_trace(HEADER + rows.encode())
    assert [int(b - a) for a, b in pairwise(trace.columns["gpu-0"].t_ns)] == [1, 1]


def test_a_torn_last_line_is_dropped_and_noted():
    trace = parse_trace(HEADER + b"1,gpu-0,1.5,,7\n2,gpu-0,2.")
    assert trace.torn
    assert len(trace.columns["gpu-0"].t_ns) == 1


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "the first line is not"),
        (b"time,watts\n1,2\n", "the first line is not"),
        (HEADER + b"1,gpu-0,1.5,7\n", "more or fewer than five fields"),
        (HEADER + b"1,g,1.5,7\n1,g,1.5,,7,8\n", "more or fewer than five fields"),
        (HEADER + b"1,gpu-0,many,,7\n", "could not convert string to float"),
        (HEADER + b"soon,gpu-0,1,,7\n", "invalid literal for int"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_fault(data, fault):
    with pytest.raises(TraceError, match=fault):
        parse_trace(data, "here.csv")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "t.csv.gz").write_bytes(b"\x1f\x8bnot packed at all")
    with pytest.raises(TraceError, match=r"t\.csv\.gz: cannot be read"):
        read_trace(tmp_path / "t.csv.gz")


def test_readings_out_of_order_or_with_one_stamp_count_once_and_in_order():
    rows = b"0,g,0.0,,0\n200000000,g,20.0,,0\n100000000,g,10.0,,0\n100000000,g,10.0,,0\n"
    trace = parse_trace(HEADER + rows)
    setting = Setting(constant(100), Sensor(update_s=0.001), "counter", (0, 1))
    told = energy(trace, setting.domain(name="g"), 0, 200_000_000)
    assert told.energy_j == pytest.approx(20.0, abs=1e-6)
