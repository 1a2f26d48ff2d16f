"""Writes every table of the scores as CSV: a missing value is an empty field, never zero."""

import csv
import io
from collections.abc import Sequence

from harness.formats._tables import Row, columns_of, tables
from harness.formats.format import Export, ExportRequest, Format

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run where a name starts with it."""


def _safe(value: object) -> object:
    """Text that no spreadsheet takes for a formula; numbers as they are, unrounded."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return repr(value) if isinstance(value, float) else value


def _line(values: Sequence[object]) -> str:
    """One record; a carriage return inside it is quoted, or it would begin a record of its own."""
    file = io.StringIO()
    # The writer quotes the characters of its line end: hence this one, which is cut off again.
    csv.writer(file, lineterminator="\r\n").writerow(values)
    return file.getvalue().removesuffix("\r\n") + "\n"


def _text(rows: Sequence[Row]) -> bytes:
    names = columns_of(rows)
    lines = [_line(names), *(_line([_safe(row.get(name, "")) for name in names]) for row in rows)]
    return "".join(lines).encode()


def write(request: ExportRequest) -> Export:
    """A file for each table."""
    named = tables(request.scores())
    return Export({f"{name}.csv": _text(rows) for name, rows in named.items()}, [])


FORMAT = Format(name="csv", title="tables as CSV", write=write)
