"""Reading a trace from its file."""

import gzip
import math
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.measure.series import Series
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
    result = energy(trace, setting.domain(name="g"), 0, 200_000_000)
    assert result.energy_j == pytest.approx(20.0, abs=1e-6)


# --- cells ----------------------------------------------------------------------------------------

Row = tuple[int, float, float, float]
Rows = dict[str, list[Row]] | str

HOSTILE = ["nan", "NaN", "inf", "-Infinity", "-0", "-0.0", "+1", " 1", "1 ", "1_0", "1.", ".5",
           "1e400", "1e-400", "1E5", "1e+5", "0x1", "٣", "\r", "1\r", "True", "null", "[1]", '"1"',
           "1.5.2", "--1", "1e", "e", ".", "-", "+", "\x00", "\ufeff1", "9" * 400,
           "9" * 5000]  # fmt: skip


floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
decimals = st.tuples(st.integers(0, 10**21), st.integers(0, 21)).map(
    lambda pair: f"{pair[0] / 10 ** pair[1]:.{pair[1]}f}"
)
wholes = st.one_of(st.integers(0, 2**53), st.integers(2**53, 2**64), st.integers(-5, 10**30)).map(
    str
)
figures = st.one_of(floats, decimals, wholes, st.just(""), st.sampled_from(["007", "0", "1e22"]))
names = st.sampled_from(["gpu-0", "cpu", "", "gpu-1", "Zähler", "a b"])
sound = st.tuples(st.integers(0, 10**18 - 1).map(str), names, figures, figures,
                  st.integers(0, 10**9).map(str))  # fmt: skip
hostile = st.tuples(
    st.one_of(wholes, st.sampled_from(HOSTILE)), names,
    *[st.one_of(figures, st.sampled_from(HOSTILE))] * 3,
)  # fmt: skip
ragged = st.lists(st.one_of(figures, names), max_size=7).map(tuple)
rows = st.lists(st.one_of(sound, sound, sound, hostile), max_size=12)


def row_by_row(text: str) -> Rows:
    """Each cell by Python's own conversions, one row after the other; or that it is a fault."""
    result: dict[str, list[Row]] = {}
    for line in text.split("\n")[:-1]:
        cells = line.split(",")
        if len(cells) != 5:
            return "fault"
        try:
            joules, watts, half = (float(cell) if cell else math.nan for cell in cells[2:])
            row = (int(cells[0]), joules, watts, half)
            struct.pack("q", row[0])
        except (ValueError, struct.error):
            return "fault"
        result.setdefault(cells[1], []).append(row)
    return result


def parsed(text: str) -> Rows:
    """Rows of the parsed trace, or that it has a fault."""
    try:
        columns = parse_trace(HEADER + text.encode("utf-8", "replace")).columns
    except TraceError:
        return "fault"
    return {name: rows_of(series) for name, series in columns.items()}


def rows_of(series: Series) -> list[Row]:
    assert series.t_ns.dtype == np.int64
    parts = (series.t_ns, series.energy_j, series.power_w, series.u_ns)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def bits(result: Rows) -> object:
    """So that NaN is itself, minus zero is not zero, and a half of a read's length is finite."""
    if isinstance(result, str):
        return result
    return [
        (name, [(t_ns, e.hex(), w.hex(), float(np.nan_to_num(u)).hex()) for t_ns, e, w, u in rows])
        for name, rows in result.items()
    ]


@settings(max_examples=200)
@given(rows)
@example([("1", "gpu-0", "", "", "1")])
@example([("1", "gpu-0", "-0", "1.5", "7"), ("2", "gpu-0", "1", "", "7")])
@example([("1", "cpu", "9" * 400, "", "7")])
@example([(str(2**63), "cpu", "1", "", "7")])
@example([("1", "cpu", "1", "", "")])
def test_cells_are_read_as_python_reads_them(cells: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(cell) + "\n" for cell in cells)
    assert bits(parsed(text)) == bits(row_by_row(text))


@settings(max_examples=150)
@given(st.lists(st.one_of(sound, ragged), min_size=1, max_size=6))
def test_rows_of_another_length_are_a_fault(cells: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(cell) + "\n" for cell in cells)
    assume(text != "\n")
    assert bits(parsed(text)) == bits(row_by_row(text))


@pytest.mark.parametrize("stamp", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
def test_a_stamp_beyond_64_bits_is_a_fault_of_the_trace(stamp: str) -> None:
    with pytest.raises(TraceError, match=r"^here: "):
        parse_trace(HEADER + f"{stamp},cpu,1,,7\n".encode(), "here")


def test_bytes_that_are_not_text_become_replacement_characters() -> None:
    result = parse_trace(HEADER + b"1,\xff,1.5,,7\n2,\xfe,2.5,,7\n").columns
    assert list(result) == ["\ufffd"]
    assert result["\ufffd"].energy_j.tolist() == [1.5, 2.5]


def test_a_trace_without_rows_has_no_domain() -> None:
    assert parse_trace(HEADER).columns == {}
    assert parse_trace(HEADER + b"\n").columns == {}
