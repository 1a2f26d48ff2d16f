"""Rows of a trace: their form, their order and their number."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verify.trace import STAMP_DIGITS, TraceChecker


def test_order_holds_from_block_to_block() -> None:
    checker = TraceChecker()
    checker.check(b"2000,a,1,,0\n")
    checker.check(b"1000,b,1,,0\n")
    checker.check(b"1500,a,1,,0\n")
    assert checker.errors == ["line 4: domain a: goes back in time"]


def test_no_stamp_is_too_long_to_be_read() -> None:
    """Python itself refuses to read thousands of digits, with an error of its own."""
    for digits in (STAMP_DIGITS + 1, 5000):
        checker = TraceChecker()
        checker.check(f"{'1' * digits},a,1,,0\n".encode())
        assert checker.errors == ["line 2: t_ns or u_ns is not an integer"]


@given(stamps=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_rows_in_order_have_no_error_and_others_have_one(stamps: list[int]) -> None:
    checker = TraceChecker()
    checker.check("".join(f"{stamp},d,1.5,,0\n" for stamp in stamps).encode())
    back = [number for number, (a, b) in enumerate(pairwise(stamps), 3) if b < a]
    assert [error.split(":")[0] for error in checker.errors] == [f"line {n}" for n in back]
    assert checker.rows == {"d": len(stamps)}


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
def test_a_row_that_is_no_reading_has_an_error(row: str) -> None:
    checker = TraceChecker()
    checker.check(f"{row}\n".encode())
    assert len(checker.errors) == 1


@pytest.mark.parametrize("row", ["1,d,1.0,,0", "-5,d,,2.5,7", "0,d,1e-3,2,0"])
def test_a_row_that_is_a_reading_has_none(row: str) -> None:
    checker = TraceChecker()
    checker.check(f"{row}\n".encode())
    assert checker.errors == []


def test_domains_keep_their_own_time() -> None:
    checker = TraceChecker()
    checker.check(b"100,a,1,,0\n50,b,1,,0\n110,a,1,,0\n60,b,1,,0\n")
    assert checker.errors == []
    assert checker.rows == {"a": 2, "b": 2}
