"""MLPerf's lines: the short way for readings and the long way for the rest say the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.mlperf.lines import READING, TOKEN, as_number, parse_log
from tests.archives.mlperf.made import line

readings = st.builds(
    lambda time_ms, watts, host: line("power_reading", time_ms, watts, host=host),
    st.integers(0, 2**42),
    st.floats(0, 1e6, allow_nan=False) | st.integers(0, 10**6),
    st.text(max_size=5),
)


@given(readings)
def test_both_ways_give_the_same_reading(event: dict) -> None:
    short = TOKEN + json.dumps(event)
    long = TOKEN + json.dumps(dict(reversed(event.items())))
    (one,) = parse_log(Path("x"), [short]).lines
    (two,) = parse_log(Path("x"), [long]).lines
    assert (one.time_ms, one.key, one.value) == (two.time_ms, two.key, as_number(two.value))


def test_the_writers_own_order_goes_the_short_way() -> None:
    assert READING.fullmatch(json.dumps(line("power_reading", 1, 3400.5, host="0")))
    assert READING.fullmatch(json.dumps(line("power_reading", 1, 3400), separators=(",", ":")))


@pytest.mark.parametrize("tail", [" ", "\t", "  "])
@pytest.mark.parametrize("key", ["power_reading", "run_stop"])
def test_blanks_behind_the_object_do_not_matter(key: str, tail: str) -> None:
    event = line(key, 1, 3400) | {"metadata": ""}
    bare, padded = (
        parse_log(Path("x"), [TOKEN + json.dumps(event) + end]).lines for end in ("", tail)
    )
    assert bare == padded
    assert len(bare) == 1


@pytest.mark.parametrize("key", ["run_stop", "power_reading_x", "conversion_eff"])
def test_other_keys_go_the_long_way(key: str) -> None:
    assert READING.fullmatch(json.dumps(line(key, 1, 1.0))) is None


@pytest.mark.parametrize("tail", [" x", "}", ' "a"', ":::"])
def test_text_behind_a_reading_breaks_its_line(tail: str) -> None:
    log = parse_log(Path("x"), [TOKEN + json.dumps(line("power_reading", 1, 1.0)) + tail])
    assert log.lines == []
    assert "line 1" in log.findings[0].message


def test_unwanted_keys_are_not_even_parsed() -> None:
    broken = TOKEN + '{"key": "tracked_stats", '
    assert parse_log(Path("x"), [broken], {"run_stop"}) == ([], [])
    assert parse_log(Path("x"), [broken]).findings


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), ("2.5", 2.5), ("2,5", 2.5), (True, None), (None, None), ("null", None),
     (float("nan"), None), ([1], None)],
)  # fmt: skip
def test_values(value: object, number: float | None) -> None:
    assert as_number(value) == number
