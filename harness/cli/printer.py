"""Prints tables and lines: coloured and fitted to a terminal, plain and unwrapped elsewhere."""

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.cli.failure import one_line
from harness.records import Finding

UNWRAPPED = 100_000
"""Width outside a terminal: no cell is cut or folded."""

WORD_MAX = 24
"""Single words up to this length are not folded."""

YELLOW = ("warn", "missing", "modelled", "unknown", "incomplete", "degraded", "target_missed")
STYLES = {
    **dict.fromkeys(("ok", "pass"), "green"),
    **dict.fromkeys(("fail", "invalid", "crashed", "broken"), "red"),
    **dict.fromkeys(YELLOW, "yellow"),
}
"""Colours of cells in a terminal, by their text."""


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that understands control sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def console_for(stream: TextIO) -> Console:
    """Return a console without markup and highlighting, and with colour only in a terminal."""
    width = None if is_terminal(stream) else UNWRAPPED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


class Printer:
    """Prints the result of a command."""

    def __init__(self, stream: TextIO) -> None:
        self.console = console_for(stream)

    def line(self, text: object = "", style: str = "", indent: int = 0) -> None:
        """Print one line; a narrow terminal folds it."""
        self.console.print(Text(" " * indent + one_line(text), style=style))

    def heading(self, text: str) -> None:
        """Print a line in bold."""
        self.line(text, "bold")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()
    ) -> None:
        """Print a table; the columns named in `right` are aligned to the right."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        cells = [[self._cell(item) for item in row] for row in rows]
        for place, name in enumerate(columns):
            # Names, numbers and single words are not folded; sentences are.
            words = (row[place].plain for row in cells)
            whole = (
                place == 0
                or name in right
                or all(" " not in word and len(word) <= WORD_MAX for word in words)
            )
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

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print one line for each finding."""
        for finding in findings:
            style = "" if finding.level == "info" else "yellow"
            self.line(f"{finding.level}: {finding.message}", style)
