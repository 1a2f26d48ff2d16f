"""Parses untrusted JSON, JSON lines and compressed tables."""

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeVar

from harness.records import Record, RecordError, load
from harness.verify.disk import Unreadable

INTEGER_MAX = 2**53 - 1
"""JSON readers of other languages round larger numbers (RFC 8259, section 6)."""

DEPTH_MAX = 32
"""Deepest nesting; records need fewer than ten levels."""

UNPACKED_MAX = 1 << 30
RATIO_MAX = 1000
"""Largest ratio of unpacked to packed size; for readings it is about ten."""

CHUNK_BYTES = 1 << 16

AnyRecord = TypeVar("AnyRecord", bound=Record)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > len(str(INTEGER_MAX)) + 1 or abs(value := int(text)) > INTEGER_MAX:
        raise ValueError(f"integer {text[:24]} is beyond 2^53")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"key {twice!a} is twice in one object")
    return tree


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer
)


def _too_deep(text: str) -> bool:
    """Whether brackets nest too deep; those in strings count too, which errs on the safe side."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return False
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif character in "]}":
            depth -= 1
    return False


def tree_of(data: bytes, file: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        Unreadable: the data are not UTF-8, not JSON or not an object, are nested too deep, repeat
            a key, or contain a number that JSON does not know or that would be rounded.
    """
    try:
        text = data.decode("utf-8")
        if _too_deep(text):
            raise Unreadable(file, f"nested deeper than {DEPTH_MAX} levels")
        tree = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise Unreadable(file, f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise Unreadable(file, "nested too deep") from error
    except ValueError as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(file, f"not valid JSON: {error}") from error
    if not isinstance(tree, dict):
        raise Unreadable(file, "not a JSON object")
    return tree


def record_of(kind: type[AnyRecord], data: bytes, file: str) -> AnyRecord:
    """Parse a record.

    Raises:
        Unreadable: the data are not that record.
    """
    tree = tree_of(data, file)
    number = tree.get("format", 1)
    present = kind.model_fields["format"].default if "format" in kind.model_fields else 1
    if isinstance(number, int) and number > present:
        raise Unreadable(file, f"format {number} is newer than this checker reads ({present})")
    try:
        return load(kind, data, file)
    except RecordError as error:
        raise Unreadable(file, str(error).removeprefix(f"{file}: ")) from error


def lines_of(data: bytes, file: str) -> list[bytes]:
    """Split data into lines.

    Raises:
        Unreadable: the last line is incomplete.
    """
    if data and not data.endswith(b"\n"):
        raise Unreadable(file, "the last line is torn")
    return data.split(b"\n")[:-1]


def unpacked(data: bytes, file: str) -> Iterator[bytes]:
    """Unpack one gzip member, piece by piece.

    Raises:
        Unreadable: the data are damaged, cut off, followed by other data, or a bomb.
    """
    engine = zlib.decompressobj(wbits=31)
    total, used = 0, 0
    rest = b""
    try:
        while not engine.eof and (rest or used < len(data)):
            if not rest:
                # Chunks, because the unconsumed tail is copied at every step.
                rest = data[used : used + CHUNK_BYTES]
                used += CHUNK_BYTES
            piece = engine.decompress(rest, CHUNK_BYTES)
            rest = engine.unconsumed_tail
            total += len(piece)
            if total > UNPACKED_MAX or total > RATIO_MAX * len(data) + CHUNK_BYTES:
                raise Unreadable(file, f"unpacks to more than {total} bytes: a bomb")
            yield piece
    except zlib.error as error:
        raise Unreadable(file, f"damaged gzip: {error}") from error
    if not engine.eof:
        raise Unreadable(file, "the gzip stream is cut off")
    if engine.unused_data or used < len(data):
        raise Unreadable(file, "other data follow the gzip stream")


def table_blocks(data: bytes, file: str) -> Iterator[bytes]:
    """Unpack a compressed table into blocks of whole lines.

    Raises:
        Unreadable: the table is damaged, cut off, or not ASCII.
    """
    rest = b""
    for piece in unpacked(data, file):
        whole, end, rest = (rest + piece).rpartition(b"\n")
        if not whole.isascii():
            raise Unreadable(file, "not ASCII")
        if end:
            yield whole + end
    if rest:
        raise Unreadable(file, "the last line is torn")
