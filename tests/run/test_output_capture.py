"""Drains: everything is counted, the beginning and the end are kept, nothing stalls a writer."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.run.output_capture import OutputCapture, log_text


def drained(data: list[bytes], keep_bytes: int) -> OutputCapture:
    capture = OutputCapture("out", keep_bytes)
    writer = os.dup(capture.write_end)
    capture.start()
    for piece in data:
        os.write(writer, piece)
    os.close(writer)
    capture.finish()
    return capture


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=12), st.integers(0, 400))
def test_all_is_counted_and_both_ends_are_kept(data: list[bytes], keep_bytes: int) -> None:
    capture = drained(data, keep_bytes)
    whole = b"".join(data)
    half = max(1, keep_bytes // 2)
    assert capture.total_bytes == len(whole)
    assert capture.kept.startswith(whole[:half])
    assert capture.kept.endswith(whole[half:][-half:])
    if len(whole) <= 2 * half:
        assert capture.kept == whole
    else:
        gap = f"\n[... {len(whole) - 2 * half} bytes not kept ...]\n".encode()
        assert capture.kept == whole[:half] + gap + whole[-half:]


def test_a_flood_is_counted_in_bounded_memory() -> None:
    capture = OutputCapture("out", 2000)
    program = "import os\nfor _ in range(320): os.write(1, b'x' * 65536)\nos.write(1, b'last')"
    child = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=capture.write_end)
    capture.start()
    assert child.wait(30) == 0
    capture.finish()
    assert capture.total_bytes == 320 * 65536 + 4
    assert len(capture.kept) < 2100
    assert capture.kept.endswith(b"last")
    assert capture._tail_bytes <= 1000 + 65536, "the queue behind it is bounded, too"


def test_finish_does_not_wait_for_a_writer_that_stays() -> None:
    capture = OutputCapture("out", 100)
    writer = os.dup(capture.write_end)
    capture.start()
    os.write(writer, b"hello")
    capture.finish(timeout_s=0.05)
    os.close(writer)
    capture.finish()
    assert capture.kept == b"hello"


def test_no_descriptor_is_left() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        drained([b"x"], 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_last_line_is_the_last_that_says_something() -> None:
    assert drained([b"first\nValueError: no\n  \n\n"], 1000).last_line() == "ValueError: no"
    assert drained([], 1000).last_line() == ""
    assert drained([b"\n \n"], 1000).last_line() == ""


def test_last_line_can_be_printed_whatever_was_written() -> None:
    line = drained([b"\x1b[31m\xff\x00red\x07" + "\u202e".encode()], 1000).last_line()
    assert line.isprintable()
    assert "red" in line
    long = drained([b"y" * 5000], 10_000).last_line(50)
    assert len(long) == 50
    assert long.endswith("…")


def test_log_is_utf_8_under_headings() -> None:
    log = log_text([drained([b"fine\n"], 100), drained([b"\xff\xfe"], 100)])
    assert log.decode() == "==== out: 5 bytes ====\nfine\n\n==== out: 2 bytes ====\n\\xff\\xfe\n"
