"""Reads the trace of a run: the readings of each domain."""

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import JouleMarkError
from harness.measure.series import Float, Series

HEADER = b"t_ns,domain,energy_j,power_w,u_ns"
_FIELDS = HEADER.count(b",") + 1


class TraceError(JouleMarkError, ValueError):
    """A file that is not a trace; the message names the file and the fault."""


@dataclass(frozen=True)
class Trace:
    """Readings by domain, in the order of the file."""

    columns: Mapping[str, Series]
    torn: bool = False
    """Whether the last line is incomplete, as a killed sampler leaves it."""


def read_trace(path: Path) -> Trace:
    """Read `trace.csv` or `trace.csv.gz`; an incomplete last line is dropped and marked.

    Raises:
        TraceError: it is not a trace.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"{path}: cannot be read as a trace: {error}") from error
    return parse_trace(data, str(path))


def parse_trace(data: bytes, where: str = "trace") -> Trace:
    """Parse the text of a trace.

    Raises:
        TraceError: the header or a row is invalid.
    """
    head, _, body = data.partition(b"\n")
    if head.strip() != HEADER:
        raise TraceError(f"{where}: the first line is not '{HEADER.decode()}'")
    complete, _, rest = body.rpartition(b"\n")
    try:
        columns = _columns(complete.decode("utf-8", "replace")) if complete else {}
    except ValueError as error:
        raise TraceError(f"{where}: {error}") from error
    return Trace(columns, torn=bool(rest))


def _columns(text: str) -> dict[str, Series]:
    """The readings of each domain.

    One split of the whole text is several times faster than one of each row, and for the traces
    of short runs faster than pandas. A line feed stays at the start of its row's first field.

    Raises:
        ValueError: a row is invalid.
    """
    fields = text.replace("\n", ",\n").split(",")
    first = fields[_FIELDS::_FIELDS]
    if len(fields) % _FIELDS or not text.count("\n") == len(first) == "".join(first).count("\n"):
        raise ValueError("a row has more or fewer than five fields")
    try:
        t_ns = np.array(list(map(int, fields[0::_FIELDS])), dtype=np.int64)
    except OverflowError as error:
        raise ValueError("a time does not fit into 64 bits") from error
    joules, watts, u_ns = (_floats(fields[place::_FIELDS]) for place in (2, 3, 4))
    series = Series(t_ns, joules, watts, np.nan_to_num(u_ns))
    names = fields[1::_FIELDS]
    numbers = {name: index for index, name in enumerate(dict.fromkeys(names))}
    rows = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
    return {name: series.at(np.flatnonzero(rows == index)) for name, index in numbers.items()}


def _floats(cells: Sequence[str]) -> Float:
    return np.array([float(cell) if cell else math.nan for cell in cells])
