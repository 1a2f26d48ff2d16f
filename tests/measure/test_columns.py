"""The quick reader of a trace is the plain one, cell for cell, on sound texts and hostile ones."""

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.measure import columns as module
from harness.measure.columns import columns
from harness.measure.series import Series
from harness.measure.trace import TraceError, parse_trace

HEADER = b"t_ns,domain,energy_j,power_w,u_ns\n"

Row = tuple[int, float, float, float]
Told = dict[str, list[Row]] | str

HOSTILE = ["nan", "NaN", "inf", "-Infinity", "-0", "-0.0", "+1", " 1", "1 ", "1_0", "1.", ".5",
           "1e400", "1e-400", "1E5", "1e+5", "0x1", "٣", "\r", "1\r", "True", "null", "[1]", '"1"',
           "1.5.2", "--1", "1e", "e", ".", "-", "+", "\x00", "\ufeff1", "9" * 400,
           "9" * 5000]  # fmt: skip


def number(value: float) -> str:
    """Missing where it is empty, as the plain reader has it."""
    return "" if math.isnan(value) else repr(value)


floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
decimals = st.tuples(st.integers(0, 10**21), st.integers(0, 21)).map(
    lambda each: f"{each[0] / 10 ** each[1]:.{each[1]}f}"
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


def row_by_row(text: str) -> Told:
    """Each cell by Python's own conversions, one row after the other; or that it is a fault."""
    found: dict[str, list[Row]] = {}
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
        found.setdefault(cells[1], []).append(row)
    return found


def told(body: bytes) -> Told:
    """What the reader says, as rows."""
    try:
        found = columns(body)
    except ValueError:
        return "fault"
    return {name: rows_of(series) for name, series in found.items()}


def rows_of(series: Series) -> list[Row]:
    assert series.t_ns.dtype == np.int64
    parts = (series.t_ns, series.energy_j, series.power_w, series.u_ns)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def bits(found: Told) -> object:
    """So that NaN is itself, minus zero is not zero, and a half of a read's length is finite."""
    if isinstance(found, str):
        return found
    return [
        (name, [(t_ns, e.hex(), w.hex(), float(np.nan_to_num(u)).hex()) for t_ns, e, w, u in rows])
        for name, rows in found.items()
    ]


@settings(max_examples=200)
@given(rows)
@example([("1", "gpu-0", "", "", "1")])
@example([("1", "gpu-0", "-0", "1.5", "7"), ("2", "gpu-0", "1", "", "7")])
@example([("1", "cpu", "9" * 400, "", "7")])
@example([(str(2**63), "cpu", "1", "", "7")])
@example([("1", "cpu", "1", "", "")])
def test_both_readers_are_the_reader_row_by_row(cells: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(cell) + "\n" for cell in cells)
    body, expected = text.encode("utf-8", "replace"), row_by_row(text)
    assert bits(told(body)) == bits(expected)
    quick = module._at_once(body) if body else {}
    if quick is not None:
        slow = {name: rows_of(item) for name, item in quick.items()}
        assert bits(slow) == bits(expected)


@settings(max_examples=150)
@given(st.lists(st.one_of(sound, ragged), min_size=1, max_size=6))
def test_rows_of_another_length_are_a_fault_to_both(cells: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(cell) + "\n" for cell in cells)
    assert bits(told(text.encode())) == bits(row_by_row(text))


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_no_bytes_are_read_otherwise_at_once_than_cell_by_cell(junk: bytes) -> None:
    body = b"1,cpu,1.5,,7\n" + junk + b"\n"
    found = module._at_once(body)
    if found is not None:
        plain = module._cell_by_cell(body)
        assert bits({k: rows_of(v) for k, v in found.items()}) == bits(
            {k: rows_of(v) for k, v in plain.items()}
        )


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=40), st.integers(0, 2**32))
def test_what_the_sampler_writes_is_read_at_once(joules: list[float], seed: int) -> None:
    """Digits as `repr` gives them, domains in turn, joules in some and watts in others."""
    chance = random.Random(seed)
    lines, t_ns = [], 0
    for joule in joules:
        t_ns += chance.randrange(1, 10**9)
        name = chance.choice(["cpu-package-0", "gpu-0", "dram"])
        cells = (number(joule), "") if name != "gpu-0" else ("", number(joule))
        lines.append(f"{t_ns},{name},{','.join(cells)},{chance.randrange(10**6)}\n")
    body = "".join(lines).encode()
    assert module._at_once(body) is not None
    assert bits(told(body)) == bits(row_by_row("".join(lines)))


@pytest.mark.parametrize("stamp", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
def test_a_stamp_beyond_64_bits_is_a_fault_of_the_trace(stamp: str) -> None:
    with pytest.raises(TraceError, match=r"^here: "):
        parse_trace(HEADER + f"{stamp},cpu,1,,7\n".encode(), "here")


def test_bytes_of_no_text_make_a_name_of_replacement_marks() -> None:
    found = columns(b"1,\xff,1.5,,7\n2,\xfe,2.5,,7\n")
    assert list(found) == ["\ufffd"]
    assert found["\ufffd"].energy_j.tolist() == [1.5, 2.5]


def test_a_trace_without_rows_has_no_domain() -> None:
    assert columns(b"") == {}
    assert parse_trace(HEADER).columns == {}
    assert parse_trace(HEADER + b"\n").columns == {}
