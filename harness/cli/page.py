"""Tables and lines for people: coloured and fitted in a terminal, plain and unwrapped elsewhere."""

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.cli.plain import one_line

UNWRAPPED = 100_000
"""Width where nobody looks at a screen: no cell is cut or folded."""

WORD_MAX = 24
"""Cells of one word up to this length are never folded."""

STYLES = {
    "ok": "green",
    "pass": "green",
    "fail": "red",
    "invalid": "red",
    "crashed": "red",
    "broken": "red",
    "warn": "yellow",
    "missing": "yellow",
    "modelled": "yellow",
    "unknown": "yellow",
    "incomplete": "yellow",
    "degraded": "yellow",
    "target_missed": "yellow",
}
"""Cells that are coloured in a terminal, by their whole text."""


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at a screen."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def console_for(stream: TextIO) -> Console:
    """A console that never guesses: no markup, no highlighting, no colour but in a terminal."""
    width = None if is_terminal(stream) else UNWRAPPED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def _single_words(cells: Iterable[Text]) -> bool:
    return all(" " not in cell.plain and len(cell) <= WORD_MAX for cell in cells)


class Page:
    """Where a verb writes what people read."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self.console = console_for(stream)

    def line(self, text: object = "", style: str = "", indent: int = 0) -> None:
        """One line; folded in a terminal that is too narrow."""
        self.console.print(Text(" " * indent + one_line(text), style=style))

    def heading(self, text: str) -> None:
        """A line that stands out."""
        self.line(text, "bold")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()
    ) -> None:
        """Rows under named columns; those named in `right` hold numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        cells = [[self._cell(item) for item in row] for row in rows]
        for place, name in enumerate(columns):
            # Names, numbers and single words are read whole; sentences fold.
            whole = place == 0 or name in right or _single_words(row[place] for row in cells)
            side: JustifyMethod = "right" if name in right else "left"
            table.add_column(name, justify=side, overflow="fold", no_wrap=whole)
        for row in cells:
            table.add_row(*row)
        if self.console.is_terminal:
            self.console.print(table)
            return
        with self.console.capture() as captured:
            self.console.print(table)
        for text in captured.get().splitlines():
            self.console.file.write(f"{text.rstrip()}\n")

    def _cell(self, value: object) -> Text:
        text = one_line("–" if value is None else value)
        return Text(text, style=STYLES.get(text, ""))
