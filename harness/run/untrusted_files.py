"""Reads files of a submission without trust in them: bounded in size, and plain."""

import json
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE_BYTES_MAX = 64 * 1024
"""Greatest size of a submission.toml."""

DECLARED_BYTES_MAX = 48 * 1024
"""Greatest size of hyperparameters, imports and commands as JSON: they are sent in one message."""

SOURCE_BYTES_MAX = 16 << 20
"""Larger files are not inspected; no ruleset allows a source of this size."""

INTEGER_MAX = 2**53 - 1
"""Larger integers are not read as the same number by every JSON reader."""

_SENT = ("hyperparameters", "imports", "command", "predict_command")


class UnusableFile(ValueError):
    """A file that cannot be used; the text says why and what to do."""


def read_tree(path: Path) -> dict[str, Any]:
    """Read the TOML of a plain file of bounded size.

    Raises:
        OSError: it does not exist or cannot be read.
        UnusableFile: it is no plain file, too large, not valid TOML, or has values that cannot be
            stored.
    """
    try:
        tree = tomllib.loads(read_plain(path, FILE_BYTES_MAX).decode("utf-8"))
    except UnusableFile:
        raise
    except (ValueError, RecursionError) as error:
        raise UnusableFile(f"not valid TOML of texts, finite numbers and lists: {error}") from error
    for key, value in _leaves(tree, ""):
        if fault := _fault(value):
            raise UnusableFile(f"{key!a} {fault}")
    sent = {key: tree.get(key) for key in _SENT}
    if len(json.dumps(sent, default=str)) > DECLARED_BYTES_MAX:
        raise UnusableFile(
            f"{', '.join(_SENT)} together are larger than {DECLARED_BYTES_MAX} bytes as JSON"
        )
    return tree


def read_plain(path: Path, size_max: int) -> bytes:
    """Read a plain file of bounded size; this never blocks, even on a pipe.

    Raises:
        OSError: it does not exist or cannot be read.
        UnusableFile: it is no plain file, or larger than `size_max` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableFile("cannot be read: not a plain file; replace it by its contents")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(size_max + 1)
    finally:
        os.close(descriptor)
    if len(data) > size_max:
        raise UnusableFile(f"larger than {size_max} bytes")
    return data


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each key, and each value that is neither table nor list, with its dotted key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            inside = f"{key}.{name}" if key else name
            yield inside, name
            yield from _leaves(inner, inside)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key)
    else:
        yield key, value


def _fault(value: Any) -> str:
    """Why a value cannot be used; empty if it can."""
    if isinstance(value, str) and "\0" in value:
        return "contains a NUL character, which no argument and no name can have; remove it"
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        return "contains an integer beyond 2^53, which not every reader can keep; write it as text"
    return ""


def module_fault(name: str) -> str:
    """Why a name of `imports` cannot be imported before the start signal; empty if it can."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return "is not the name of a module; write it as in `import NAME`"
    if "__main__" in parts:
        return "is a program, not a library: importing it would run it"
    return ""
