"""Shows the progress of a series: a few live lines in a terminal, plain lines elsewhere."""

import sys
from contextlib import AbstractContextManager
from typing import Any, Self, TextIO

from rich.live import Live
from rich.text import Text

from harness.cli.failure import one_line
from harness.cli.printer import console_for, is_terminal
from harness.clock import NS_PER_S, Clock, SystemClock
from harness.run.order import Progress

REDRAW_NS = NS_PER_S
"""Least time between two redraws, which cost CPU time on the machine that is measured."""

LINE_NS = 10 * NS_PER_S
"""Least time between two plain lines."""

BAR_WIDTH = 30


class ProgressDisplay(AbstractContextManager[Any]):
    """Shows the progress of a series; this one shows nothing."""

    def __exit__(self, *_error: object) -> None:
        """Leave the terminal in order."""

    def phase(self, text: str) -> None:
        """Show that a phase began."""

    def progress(self, progress: Progress) -> None:
        """Show the figures of the current run."""


def joules_text(progress: Progress) -> str:
    """Return the current watts and the joules so far with their method, or `not measured`."""
    if progress.joules is None and progress.watts is None:
        return "joules: not measured"
    watts = "– W" if progress.watts is None else f"{progress.watts:.1f} W"
    joules = "– J" if progress.joules is None else f"{progress.joules:.0f} J so far"
    return f"{watts}, {joules} ({progress.method or 'method unknown'})"


def budget_text(progress: Progress) -> str:
    """Return the used time, the budget, and the seconds until it is used up."""
    left_s = max(0.0, progress.budget_s - progress.t_s)
    return f"{progress.t_s:.1f} of {progress.budget_s:g} s, {left_s:.1f} s left"


def bar(progress: Progress, width: int = BAR_WIDTH) -> str:
    """Return a bar that shows the used share of the budget."""
    share = min(1.0, progress.t_s / progress.budget_s) if progress.budget_s > 0 else 1.0
    full = round(share * width)
    return "━" * full + "─" * (width - full)


class Lines(ProgressDisplay):
    """Prints one line for each phase, and one every ten seconds during training."""

    def __init__(self, title: str, stream: TextIO, clock: Clock) -> None:
        self._title = title
        self._stream = stream
        self._clock = clock
        self._next_ns = 0

    def _write(self, text: str) -> None:
        self._stream.write(f"{one_line(f'{self._title}: {text}')}\n")
        self._stream.flush()

    def phase(self, text: str) -> None:
        """Print the phase."""
        self._next_ns = self._clock.now_ns() + LINE_NS
        self._write(text)

    def progress(self, progress: Progress) -> None:
        """Print the figures if the last line is old enough."""
        if self._clock.now_ns() >= self._next_ns:
            self._next_ns = self._clock.now_ns() + LINE_NS
            run = f"run {progress.run_index + 1}/{progress.run_count}"
            figures = f"{joules_text(progress)}, {progress.snapshots} snapshots"
            self._write(f"{run}: {budget_text(progress)}, {figures}")


class Screen(ProgressDisplay):
    """Shows three lines at the bottom of a terminal, redrawn at most once a second."""

    def __init__(self, title: str, stream: TextIO, clock: Clock) -> None:
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

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show the phase at the next redraw."""
        self._phase = text
        self._draw()

    def progress(self, progress: Progress) -> None:
        """Show the figures at the next redraw."""
        self._progress = progress
        self._draw()

    def text(self) -> str:
        """Return the lines to show."""
        seen = self._progress
        if seen is None:
            return one_line(f"{self._title}: {self._phase}")
        run = f"run {seen.run_index + 1}/{seen.run_count}"
        head = one_line(f"{self._title}: {run}: {self._phase}")
        figures = f"{joules_text(seen)}, {seen.snapshots} snapshots"
        return f"{head}\n{bar(seen)} {budget_text(seen)}\n{figures}"

    def _draw(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + REDRAW_NS
            self._live.update(Text(self.text()), refresh=True)


def display_for(title: str, *, quiet: bool = False, clock: Clock | None = None) -> ProgressDisplay:
    """Return a live display if both outputs are terminals, else one of plain lines."""
    chosen = clock or SystemClock()
    if quiet:
        return ProgressDisplay()
    if is_terminal(sys.stdout) and is_terminal(sys.stderr):
        return Screen(title, sys.stderr, chosen)
    return Lines(title, sys.stderr, chosen)
