"""The columns of a trace from its text: at once where all of it is plain, else cell by cell.

Both ways give the same numbers to the last bit. The quick one passes over the bytes a few times
and makes no object of a cell; it takes only what it surely reads as Python would, and leaves the
rest (signs, blanks between digits, NaN, numbers beyond 64 bits, faults) to the plain one.
"""

import math
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from harness.measure.series import Float, Int, Series

FIELDS = 5
"""Cells of a row: t_ns, domain, energy_j, power_w, u_ns."""

_COMMA, _LINE_FEED = b",\n"

_DIGITS_MAX = 18
"""So many digits always fit into 64 bits."""

_TEXT = npt.NDArray[np.uint8]


def columns(body: bytes) -> dict[str, Series]:
    """The readings of each domain, in the order in which they first come.

    Args:
        body: Rows, each with its line feed.

    Raises:
        ValueError: a row is not as it must be.
    """
    if not body:
        return {}
    found = _at_once(body)
    return _cell_by_cell(body) if found is None else found


# --- at once --------------------------------------------------------------------------------------


def _at_once(body: bytes) -> dict[str, Series] | None:
    """The columns of a plain text; None where it is not plain."""
    if not body.isascii():
        return None
    raw = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero((raw == _COMMA) | (raw == _LINE_FEED))
    count = len(ends) // FIELDS
    whole = len(ends) == FIELDS * count == FIELDS * body.count(b"\n")
    if not whole or not (raw[ends[FIELDS - 1 :: FIELDS]] == _LINE_FEED).all():
        return None
    widths = ends.copy()
    widths[1:] -= ends[:-1]
    widths[0] += 1
    cells = _Cells(raw, widths.reshape(count, FIELDS))
    t_ns = cells.whole(0)
    joules, watts, u_ns = (cells.figures(place) for place in (2, 3, 4))
    if t_ns is None or joules is None or watts is None or u_ns is None:
        return None
    return _by_name(cells.text(1), count, Series(t_ns, joules, watts, _known(u_ns)))


class _Cells:
    """The bytes of a text by column."""

    def __init__(self, raw: _TEXT, widths: Int) -> None:
        """Tell each byte's column; an empty cell's separator is in none."""
        self._raw, self._widths = raw, widths
        places = np.tile(np.arange(FIELDS, dtype=np.uint8), (len(widths), 1))
        places[:, 2:][widths[:, 2:] == 1] = FIELDS
        self._owners = np.repeat(places.ravel(), widths.ravel())

    def text(self, place: int) -> bytes:
        """The cells of a column that are not empty, each with its separator."""
        return bytes(self._raw[self._owners == place])

    def whole(self, place: int) -> Int | None:
        """Whole numbers, none of them empty; None where one is not plainly that."""
        widths = self._widths[:, place]
        if widths.min() <= 1 or widths.max() > _DIGITS_MAX + 1:
            return None
        text = self.text(place).replace(b"\n", b",")[:-1]
        if not text.replace(b",", b"").isdigit():
            return None
        return np.fromstring(text, np.int64, sep=",")

    def figures(self, place: int) -> Float | None:
        """Numbers, NaN where empty; None where one is not plainly that."""
        there = self._widths[:, place] > 1
        if not there.any():
            return np.full(len(there), math.nan)
        found = _numbers(self.text(place).replace(b"\n", b",")[:-1])
        if found is None or there.all():
            return found
        spread = np.full(len(there), math.nan)
        spread[there] = found
        return spread


def _numbers(text: bytes) -> Float | None:
    """Numbers between commas, each the float that lies nearest; None where one is not plain.

    JSON's numbers are Python's, but for a minus zero, which would lose its sign.
    """
    if text.translate(None, b"0123456789.,eE+-") or text.startswith(b"-") or b",-" in text:
        return None
    try:
        return np.array(from_json(b"[%b]" % text), dtype=np.float64)
    except (ValueError, OverflowError):
        return None


def _known(u_ns: Float) -> Float:
    return u_ns if np.isfinite(u_ns).all() else np.nan_to_num(u_ns)


def _by_name(text: bytes, count: int, whole: Series) -> dict[str, Series]:
    first = text[: text.index(b",") + 1]
    if text == first * count:
        return {first[:-1].decode(): whole}
    return _split(text[:-1].decode().split(","), whole)


# --- cell by cell ---------------------------------------------------------------------------------


def _cell_by_cell(body: bytes) -> dict[str, Series]:
    # One split for the whole file: a line feed stays at the head of its row's first field.
    text = body.removesuffix(b"\n").decode("utf-8", "replace")
    fields = text.replace("\n", ",\n").split(",")
    heads = fields[FIELDS::FIELDS]
    whole = len(fields) == FIELDS * (len(heads) + 1) and len(heads) == text.count("\n")
    if not whole or not all(map(str.startswith, heads, repeat("\n"))):
        raise ValueError("a row has more or fewer than five fields")
    try:
        t_ns = np.array(list(map(int, fields[0::FIELDS])), dtype=np.int64)
    except OverflowError as error:
        raise ValueError("a stamp does not fit into 64 bits") from error
    joules, watts, u_ns = (_floats(fields[place::FIELDS]) for place in (2, 3, 4))
    return _split(fields[1::FIELDS], Series(t_ns, joules, watts, np.nan_to_num(u_ns)))


def _floats(texts: Sequence[str]) -> Float:
    if not any(texts):
        return np.full(len(texts), math.nan)
    if all(texts):
        return np.array(list(map(float, texts)))
    return np.array([float(text) if text else math.nan for text in texts])


def _split(names: Sequence[str], whole: Series) -> dict[str, Series]:
    numbers = {name: index for index, name in enumerate(dict.fromkeys(names))}
    rows = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
    return {name: whole.at(np.flatnonzero(rows == index)) for name, index in numbers.items()}
