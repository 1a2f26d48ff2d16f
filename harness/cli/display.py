"""Watches a series for people: a few live lines in a terminal, plain lines elsewhere."""

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.live import Live
from rich.text import Text

from harness.cli.page import console_for, is_terminal
from harness.cli.plain import one_line
from harness.clock import NS_PER_S, Clock, SystemClock
from harness.run.order import Progress

REDRAW_NS = NS_PER_S
"""A redraw costs CPU time on the machine that is being measured: at most one a second."""

LINE_NS = 10 * NS_PER_S
"""Where every line stays on record, one in ten seconds is enough."""

BAR_WIDTH = 30


class Display(Protocol):
    """A watcher that can be entered, so that the screen is left in order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def phase(self, text: str) -> None:
        """A new phase began."""
        ...

    def progress(self, progress: Progress) -> None:
        """Live figures."""
        ...


def joules_text(progress: Progress) -> str:
    """Watts now and joules so far, with the method that they come by; missing is said."""
    if progress.joules is None and progress.watts is None:
        return "joules: not measured"
    watts = "– W" if progress.watts is None else f"{progress.watts:.1f} W"
    joules = "– J" if progress.joules is None else f"{progress.joules:.0f} J so far"
    return f"{watts}, {joules} ({progress.method or 'method unknown'})"


def left_s(progress: Progress) -> float:
    """Seconds until the runner ends this run."""
    return max(0.0, progress.budget_s - progress.t_s)


def run_text(progress: Progress) -> str:
    """Which run of how many."""
    return f"run {progress.run_index + 1}/{progress.run_count}"


def bar(progress: Progress, width: int = BAR_WIDTH) -> str:
    """How much of the budget is gone."""
    share = min(1.0, progress.t_s / progress.budget_s) if progress.budget_s > 0 else 1.0
    full = round(share * width)
    return "━" * full + "─" * (width - full)


def progress_line(progress: Progress) -> str:
    """All of it on one line."""
    return (
        f"{run_text(progress)}: {progress.t_s:.1f} of {progress.budget_s:g} s, "
        f"{left_s(progress):.1f} s left, {joules_text(progress)}, {progress.snapshots} snapshots"
    )


class Silent:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def phase(self, text: str) -> None:
        """Not shown."""

    def progress(self, progress: Progress) -> None:
        """Not shown."""


class Lines(Silent):
    """One line a phase, and one in ten seconds while it trains."""

    def __init__(self, title: str, stream: TextIO, clock: Clock) -> None:
        """Write to a stream; `title` stands before each line."""
        self._title = title
        self._stream = stream
        self._clock = clock
        self._next_ns = 0

    def _say(self, text: str) -> None:
        self._stream.write(f"{one_line(f'{self._title}: {text}')}\n")
        self._stream.flush()

    def phase(self, text: str) -> None:
        """One line."""
        self._next_ns = self._clock.now_ns() + LINE_NS
        self._say(text)

    def progress(self, progress: Progress) -> None:
        """A line where the last one is long enough ago."""
        if self._clock.now_ns() >= self._next_ns:
            self._next_ns = self._clock.now_ns() + LINE_NS
            self._say(progress_line(progress))


class Screen(Silent):
    """Three lines at the bottom of a terminal.

    What comes within a second of the last redraw waits for the next call.
    """

    def __init__(self, title: str, stream: TextIO, clock: Clock) -> None:
        """Draw on a terminal."""
        self._title = title
        self._clock = clock
        self._phase = "starting"
        self._progress: Progress | None = None
        self._next_ns = 0
        console = console_for(stream)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show it with the next redraw."""
        self._phase = text
        self._draw()

    def progress(self, progress: Progress) -> None:
        """Show it with the next redraw."""
        self._progress = progress
        self._draw()

    def text(self) -> str:
        """What stands on the screen."""
        seen = self._progress
        if seen is None:
            return one_line(f"{self._title}: {self._phase}")
        head = one_line(f"{self._title}: {run_text(seen)}: {self._phase}")
        budget = f"{bar(seen)} {seen.t_s:.1f} of {seen.budget_s:g} s, {left_s(seen):.1f} s left"
        return f"{head}\n{budget}\n{joules_text(seen)}, {seen.snapshots} snapshots"

    def _draw(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + REDRAW_NS
            self._live.update(Text(self.text()), refresh=True)


def display_for(title: str, *, quiet: bool = False, clock: Clock | None = None) -> Display:
    """The display that fits: live lines only where both outputs are terminals.

    Args:
        title: What runs, for the head of each line.
        quiet: Whether to say nothing.
        clock: What spaces the redraws.
    """
    chosen = clock or SystemClock()
    if quiet:
        return Silent()
    if is_terminal(sys.stdout) and is_terminal(sys.stderr):
        return Screen(title, sys.stderr, chosen)
    return Lines(title, sys.stderr, chosen)
