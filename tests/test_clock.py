"""The one clock: it never runs backwards, and its virtual twin keeps the same laws."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import (
    NS_PER_S,
    Clock,
    SystemClock,
    anchor,
    now_ns,
    utc_compact,
    utc_text,
)
from tests.lab.clock import VirtualClock

moments = st.integers(0, 4_000_000_000 * NS_PER_S)
spans = st.integers(0, 10**15)


def test_time_does_not_run_backwards() -> None:
    stamps = [now_ns() for _ in range(100)]
    assert stamps == sorted(stamps)


def test_another_process_reads_the_same_clock() -> None:
    before = now_ns()
    code = "from harness.clock import now_ns; print(now_ns())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert before < int(done.stdout) < now_ns()


def file_time_s(folder: Path) -> float:
    """Wall time by the file system's account."""
    path = folder / "now"
    path.touch()
    return path.stat().st_mtime


def test_an_anchor_is_one_moment_on_four_clocks(tmp_path: Path) -> None:
    before, here, after = now_ns(), anchor(), now_ns()
    assert before <= here.monotonic_ns <= after
    assert here.boottime_ns >= here.monotonic_ns - 1_000_000
    assert abs(here.wall_ns / NS_PER_S - file_time_s(tmp_path)) < 60
    assert here.raw_ns > 0


@given(moments)
def test_texts_of_wall_time_keep_the_nanosecond_and_the_order(wall_ns: int) -> None:
    text = utc_text(wall_ns)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text)
    whole = datetime.fromisoformat(text[:19] + "+00:00")
    assert int(whole.timestamp()) * NS_PER_S + int(text[20:29]) == wall_ns
    assert utc_text(wall_ns + 1) > text


@given(moments)
def test_the_short_text_is_the_long_one_to_the_second(wall_ns: int) -> None:
    assert utc_compact(wall_ns) == re.sub(r"[-:]|\.\d+", "", utc_text(wall_ns))


def test_known_moments() -> None:
    assert utc_text(1) == "1970-01-01T00:00:00.000000001Z"
    assert utc_compact(1_763_770_045 * NS_PER_S) == "20251122T000725Z"


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(5)])
def test_sleeping_ends_at_or_after_the_deadline(clock: Clock) -> None:
    deadline = clock.now_ns() + 2_000_000
    clock.sleep_until(deadline)
    assert clock.now_ns() >= deadline
    after = clock.now_ns()
    clock.sleep_until(deadline - 1)
    assert clock.now_ns() < after + NS_PER_S


@given(st.lists(spans, max_size=8))
def test_the_virtual_clock_moves_exactly_as_requested(steps: list[int]) -> None:
    clock = VirtualClock(7)
    for step in steps:
        clock.advance(step)
    assert clock.now_ns() == 7 + sum(steps)
    clock.sleep_until(0)
    assert clock.now_ns() == 7 + sum(steps)


@given(spans, spans, st.integers(-(10**15), 10**15))
def test_steps_of_the_wall_and_suspends_show_between_anchors(
    run_ns: int, asleep_ns: int, step_ns: int
) -> None:
    clock = VirtualClock()
    before = clock.anchor()
    clock.advance(run_ns)
    clock.suspend(asleep_ns)
    clock.step_wall(step_ns)
    after = clock.anchor()
    assert after.monotonic_ns - before.monotonic_ns == run_ns
    assert after.raw_ns - before.raw_ns == run_ns
    assert after.boottime_ns - before.boottime_ns == run_ns + asleep_ns
    assert after.wall_ns - before.wall_ns == run_ns + asleep_ns + step_ns
