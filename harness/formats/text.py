"""Text of untrusted files: encodings, line ends, decimal commas and sizes."""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

FILE_BYTES_MAX = 1 << 30
"""Greatest file that is read: the longest real logs have some tens of megabytes."""

LFS_POINTER = b"version https://git-lfs"
"""How a file begins that Git keeps elsewhere."""

FIELD_CHARS_MAX = 120
"""Most characters of a file's text that a message repeats."""


class TextError(ValueError):
    """A file or line that cannot be used; the message names both."""


class Text(NamedTuple):
    """A file's text without byte order mark, lines ended in any fashion."""

    path: Path
    lines: list[str]
    sha256: str
    whole: bool
    """Whether the last line has an end: a file that was cut off mostly has none."""


def shown(text: str) -> str:
    """Text of a file as a message may repeat it: one line, printable, not too long."""
    flat = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    cut = len(flat) > FIELD_CHARS_MAX
    return f"'{flat[:FIELD_CHARS_MAX]}{'…' if cut else ''}'"


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file that is not too large.

    Raises:
        TextError: it is no regular file, too large, or cannot be read.
    """
    try:
        if not path.is_file():
            raise TextError(f"{path}: no regular file")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise TextError(f"{path}: larger than {FILE_BYTES_MAX >> 20} MiB, so it was not read")
        return path.read_bytes()
    except OSError as error:
        raise TextError(f"{path}: cannot be read: {error.strerror or error}") from error


def decoded(data: bytes) -> str:
    """UTF-8 or UTF-16 by its byte order mark, else UTF-8, else Latin-1, which never fails."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def split_lines(text: str) -> list[str]:
    """Lines ended by LF, CR LF or CR, and by nothing else: a form feed does not end a line."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def read_text(path: Path) -> Text:
    """A file's lines and digest.

    Raises:
        TextError: it cannot be read.
    """
    data = read_bytes(path)
    if data.startswith(LFS_POINTER):
        raise TextError(f"{path}: only a pointer of Git LFS; fetch the file itself (git lfs pull)")
    text = decoded(data)
    digest = hashlib.sha256(data).hexdigest()
    return Text(path, split_lines(text), digest, text.endswith(("\n", "\r")))


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        TextError: the file cannot be read, or holds no JSON object.
    """
    try:
        value = json.loads("\n".join(read_text(path).lines))
    except (json.JSONDecodeError, RecursionError) as error:
        raise TextError(f"{path}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise TextError(f"{path}: no JSON object")
    return value


def number(text: str) -> float | None:
    """A finite number written with a point, or with a decimal comma; None for anything else.

    `1,5` is one and a half where the locale has a decimal comma; `1,234.5` and `1 234` are refused:
    their meaning is ambiguous.
    """
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        if text.count(",") != 1 or "." in text:
            return None
        return number(text.replace(",", "."))
    # Python reads 1_000 and underscores never come from a logger.
    return value if math.isfinite(value) and "_" not in text else None


def delimiter_of(header: str) -> str:
    """What separates a header's fields: the most frequent of comma, semicolon and tab."""
    return max(",;\t", key=header.count)


def columns(header: str, delimiter: str) -> list[str]:
    """Names of a header's fields, without blanks and quotes around them."""
    return [name.strip().strip('"').strip() for name in header.split(delimiter)]


def slug(text: str) -> str:
    """A name that is a folder's everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"
