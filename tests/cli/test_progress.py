"""What is shown while it runs: at most one redraw a second, and no joule without its method."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.progress import (
    Lines,
    ProgressDisplay,
    Screen,
    bar,
    budget_text,
    display_for,
    joules_text,
)
from harness.clock import NS_PER_S
from harness.run.order import Progress
from tests.lab.clock import VirtualClock

HALF = Progress(0, 3, 3.0, 6.0, 41.25, 123.4, "modelled", 2)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_joules_carry_their_method() -> None:
    assert joules_text(HALF) == "41.2 W, 123 J so far (modelled)"


def test_joules_that_are_missing_are_not_zero() -> None:
    text = joules_text(HALF._replace(watts=None, joules=None, method=None))
    assert text == "joules: not measured"
    assert "0 J" not in joules_text(HALF._replace(joules=None))


def test_the_line_has_everything() -> None:
    stream = io.StringIO()
    Lines("digits", stream, VirtualClock()).progress(HALF)
    for part in ("run 1/3", "3.0 of 6 s", "3.0 s left", "41.2 W", "123 J", "2 snapshots"):
        assert part in stream.getvalue()


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 80))
def test_the_bar_is_always_as_wide(t_s: float, budget_s: float, width: int) -> None:
    assert len(bar(HALF._replace(t_s=t_s, budget_s=budget_s), width)) == width


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_time_left_is_never_negative(t_s: float, budget_s: float) -> None:
    assert "-" not in budget_text(HALF._replace(t_s=t_s, budget_s=budget_s)).replace("e-", "")


@given(st.lists(st.integers(0, 3 * NS_PER_S), max_size=60))
def test_the_screen_is_redrawn_at_most_once_a_second(steps_ns: list[int]) -> None:
    clock = VirtualClock(start_ns=NS_PER_S)
    screen = Screen("t", Terminal(), clock)
    drawn: list[int] = []
    screen._live.update = lambda *_args, **_kw: drawn.append(clock.now_ns())  # type: ignore[method-assign]
    for number, step_ns in enumerate(steps_ns):
        clock.advance(step_ns)
        screen.phase(f"phase {number}") if number % 3 else screen.progress(HALF)
    assert all(b - a >= NS_PER_S for a, b in pairwise(drawn))
    assert bool(drawn) == bool(steps_ns)


def test_the_screen_shows_phase_budget_and_joules() -> None:
    screen = Screen("digits", Terminal(), VirtualClock())
    screen.phase("training")
    screen.progress(HALF)
    head, budget, joules = screen.text().splitlines()
    assert head == "digits: run 1/3: training"
    assert budget.endswith("3.0 of 6 s, 3.0 s left")
    assert joules == "41.2 W, 123 J so far (modelled), 2 snapshots"


def test_the_screen_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Screen("digits", stream, VirtualClock(start_ns=NS_PER_S)) as screen:
        screen.progress(HALF)
        assert "run 1/3" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


def test_lines_come_with_every_phase_and_every_ten_seconds() -> None:
    clock, stream = VirtualClock(), io.StringIO()
    lines = Lines("digits", stream, clock)
    lines.phase("training")
    for _ in range(25):
        clock.advance(NS_PER_S)
        lines.progress(HALF)
    assert [line.partition(": ")[2][:5] for line in stream.getvalue().splitlines()] == [
        "train",
        "run 1",
        "run 1",
    ]
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("out", "err", "quiet", "kind"),
    [
        (True, True, False, Screen),
        (False, True, False, Lines),
        (True, False, False, Lines),
        (True, True, True, ProgressDisplay),
    ],
)
def test_live_only_where_both_are_terminals(
    monkeypatch: pytest.MonkeyPatch, out: bool, err: bool, quiet: bool, kind: type
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", Terminal() if out else io.StringIO())
    monkeypatch.setattr("sys.stderr", Terminal() if err else io.StringIO())
    assert type(display_for("t", quiet=quiet)) is kind


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as silent:
        silent.phase("training")
        silent.progress(HALF)
    assert capsys.readouterr() == ("", "")
