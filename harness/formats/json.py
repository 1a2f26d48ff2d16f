"""Writes every table of the scores as JSON: a list of flat objects, null where nothing is known."""

import json
from collections.abc import Sequence

from harness.formats._tables import Row, tables
from harness.formats.format import Export, ExportRequest, Format


def _text(rows: Sequence[Row]) -> bytes:
    return (json.dumps(rows, indent=1, allow_nan=False, sort_keys=True) + "\n").encode()


def write(request: ExportRequest) -> Export:
    """A file for each table."""
    named = tables(request.scores())
    return Export({f"{name}.json": _text(rows) for name, rows in named.items()}, [])


FORMAT = Format(name="json", title="tables as JSON", write=write)
