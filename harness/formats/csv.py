"""Writes every table of the scores as CSV: a missing value is an empty field, never zero."""

import csv
import io
from collections.abc import Sequence

from harness.formats._tables import Row, columns_of, tables
from harness.formats.format import Export, ExportRequest, Format

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run where a name starts with it."""


def csv_cell(value: object) -> object:
    """Text that no spreadsheet takes for a formula; numbers as they are, unrounded.

    Characters that are not printable, as ESC, BEL and those that change the direction of text, are
    written as their code.
    """
    if isinstance(value, str):
        text = "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in value)
        return f"'{text}" if text.startswith(FORMULA) else text
    return repr(value) if isinstance(value, float) else value


def _line(values: Sequence[object]) -> str:
    """One record; a carriage return inside it is quoted, or it would begin a record of its own."""
    file = io.StringIO()
    # The writer quotes the characters of its line end: hence this one, which is cut off again.
    csv.writer(file, lineterminator="\r\n").writerow(values)
    return file.getvalue().removesuffix("\r\n") + "\n"


def _text(rows: Sequence[Row]) -> bytes:
    names = columns_of(rows)
    lines = [
        _line(names),
        *(_line([csv_cell(row.get(name, "")) for name in names]) for row in rows),
    ]
    return "".join(lines).encode()


def write(request: ExportRequest) -> Export:
    """A file for each table."""
    named = tables(request.scores())
    return Export({f"{name}.csv": _text(rows) for name, rows in named.items()}, [])


FORMAT = Format(name="csv", title="tables as CSV", write=write)
