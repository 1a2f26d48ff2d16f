"""Reads the trace of a run: the readings of each domain."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import JouleMarkError
from harness.measure.columns import columns
from harness.measure.series import Series

HEADER = b"t_ns,domain,energy_j,power_w,u_ns"


class TraceError(JouleMarkError, ValueError):
    """A file that is no trace; the message names file and fault."""


@dataclass(frozen=True)
class Trace:
    """Readings by domain, in the order of the file."""

    columns: Mapping[str, Series]
    torn: bool = False
    """Whether the last line was cut off, as a killed sampler leaves it."""


def read_trace(path: Path) -> Trace:
    """Read `trace.csv` or `trace.csv.gz`.

    Raises:
        TraceError: it is no trace; a last line without its end is dropped and noted.
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
        TraceError: the header or a row is not as it must be.
    """
    head, _, body = data.partition(b"\n")
    if head.strip() != HEADER:
        raise TraceError(f"{where}: the first line is not '{HEADER.decode()}'")
    whole, end, rest = body.rpartition(b"\n")
    try:
        return Trace(columns(whole + end) if whole else {}, torn=bool(rest))
    except ValueError as error:
        raise TraceError(f"{where}: {error}") from error
