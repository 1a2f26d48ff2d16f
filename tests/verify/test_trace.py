"""Readings by columns and by rows: the fast way passes nothing that the slow one would not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.verify.trace import STAMP_DIGITS, TraceChecker


def both(rows: list[str], at: int = 0) -> tuple[TraceChecker, TraceChecker]:
    """The same rows in two blocks, as they are taken, and row by row."""
    fast, slow = TraceChecker(), TraceChecker()
    for piece in (rows[:at], rows[at:]):
        block = "".join(f"{row}\n" for row in piece)
        fast.take(block.encode())
        slow._one_by_one(block)
        slow._line += len(piece)
    return fast, slow


WHOLE = st.one_of(
    st.integers(0, 10**6).map(str),
    st.sampled_from(["", "-5", "+5", "007", "1_0", " 1", "9" * 19, "9" * 20, "1.0", "x"]),
)
FIGURES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.sampled_from(
        ["", "", "5", "5.", ".5", "1e5", "1e999", "nan", "-1", "1.2.3", "0x1", "1_0", "9" * 400]
    ),
)
ROWS = st.one_of(
    st.tuples(
        WHOLE, st.sampled_from(["a", "b", "ab", "", "5", "1.5"]), FIGURES, FIGURES, WHOLE
    ).map(",".join),
    st.sampled_from(["", ",", "1,2", "1,a,1,,0,", "1,a,1,,0,2,a,1,,0", "\t", "1,a,1,,0\r"]),
)
SOUND = st.tuples(
    st.integers(1000, 9999).map(str),
    st.sampled_from(["a", "b", "ab", "7", "a.b"]),
    st.floats(0, 1e9).map(lambda value: f"{value:.6f}"),
    st.sampled_from(["", "", "5", "7"]),
    st.integers(0, 99).map(str),
).map(",".join)


@settings(max_examples=300)
@given(rows=st.lists(st.one_of(SOUND, ROWS), max_size=6), at=st.integers(0, 6))
def test_both_ways_say_the_same_of_anything(rows: list[str], at: int) -> None:
    fast, slow = both(rows, at)
    assert fast.faults == slow.faults
    assert fast.rows == slow.rows


@given(rows=st.lists(SOUND, min_size=2, max_size=9), at=st.integers(0, 9))
def test_both_ways_say_the_same_of_order(rows: list[str], at: int) -> None:
    fast, slow = both(rows, at)
    assert fast.faults == slow.faults
    assert fast._last == slow._last
    fast, slow = both(sorted(rows), at)
    assert fast.faults == slow.faults == []


def test_what_is_plainly_sound_takes_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        pytest.fail("the rows were looked at one by one")

    monkeypatch.setattr(TraceChecker, "_one_by_one", slow)
    rows = [f"{1000 + step},gpu-{step % 2},{step}.5,,40" for step in range(50)]
    readings = TraceChecker()
    readings.take("".join(f"{row}\n" for row in rows).encode())
    readings.take(b"1050,gpu-0,,17.25,40\n")
    assert readings.rows == {"gpu-0": 26, "gpu-1": 25}


def test_a_block_of_known_domains_is_matched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """One domain's name begins another's, and a stamp stands in two rows, whatever their order."""
    rows = [f"{1000 + step // 3},{('gpu-10', 'gpu-1', 'a')[step % 3]},{step}.5,,40\n"
            for step in range(60)]  # fmt: skip
    readings = TraceChecker()
    readings.take("".join(rows[:30]).encode())

    def slow(*_: object) -> None:
        pytest.fail("the cells were looked at one by one")

    monkeypatch.setattr(TraceChecker, "_by_columns", slow)
    readings.take("".join(rows[30:]).encode())
    assert readings.rows == {"gpu-10": 20, "gpu-1": 20, "a": 20}
    assert set(readings._last.values()) == {1019}
    assert readings.faults == []


@pytest.mark.parametrize("late", ["999,a,2.5,,40", "1001,a,nan,,40", "1001,a,,,40", "1002,b,1.5,,"])
def test_known_domains_open_no_door(late: str) -> None:
    readings = TraceChecker()
    readings.take(b"1000,a,1.5,,40\n")
    readings.take(f"1001,a,2.5,,40\n{late}\n1003,a,2.5,,40\n".encode())
    assert [fault.split(":")[0] for fault in readings.faults] == ["line 4"]
    assert sum(readings.rows.values()) == 4


def test_order_holds_from_block_to_block() -> None:
    readings = TraceChecker()
    readings.take(b"2000,a,1,,0\n")
    readings.take(b"1000,b,1,,0\n")
    readings.take(b"1500,a,1,,0\n")
    assert readings.faults == ["line 4: domain a: goes back in time"]


def test_no_stamp_is_too_long_to_be_read() -> None:
    """Python itself refuses to read thousands of digits, with an error of its own."""
    for digits in (STAMP_DIGITS + 1, 5000):
        readings = TraceChecker()
        readings.take(f"{'1' * digits},a,1,,0\n".encode())
        assert readings.faults == ["line 2: t_ns or u_ns is no whole number"]


@given(stamps=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_rows_in_order_have_no_fault_and_others_have_one(stamps: list[int]) -> None:
    readings = TraceChecker()
    readings.take("".join(f"{stamp},d,1.5,,0\n" for stamp in stamps).encode())
    back = [number for number, (a, b) in enumerate(pairwise(stamps), 3) if b < a]
    assert [fault.split(":")[0] for fault in readings.faults] == [f"line {n}" for n in back]
    assert readings.rows == {"d": len(stamps)}


@pytest.mark.parametrize(
    "row",
    [
        "1,d,nan,,0",
        "1,d,inf,,0",
        "1,d,1e999,,0",
        "1,d,,-inf,0",
        "1,d,,,0",
        "1,d,twelve,,0",
        "1.5,d,1.0,,0",
        "1,d,1.0,,-3",
        "1,d,1.0,,",
        ",d,1.0,,0",
        "0x10,d,1.0,,0",
    ],
)
def test_a_row_that_is_no_reading_has_a_fault(row: str) -> None:
    readings = TraceChecker()
    readings.take(f"{row}\n".encode())
    assert len(readings.faults) == 1


@pytest.mark.parametrize("row", ["1,d,1.0,,0", "-5,d,,2.5,7", "0,d,1e-3,2,0"])
def test_a_row_that_is_a_reading_has_none(row: str) -> None:
    readings = TraceChecker()
    readings.take(f"{row}\n".encode())
    assert readings.faults == []


def test_domains_keep_their_own_time() -> None:
    readings = TraceChecker()
    readings.take(b"100,a,1,,0\n50,b,1,,0\n110,a,1,,0\n60,b,1,,0\n")
    assert readings.faults == []
    assert readings.rows == {"a": 2, "b": 2}
