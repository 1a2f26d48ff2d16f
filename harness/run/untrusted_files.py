"""Reads submission.toml as if an enemy had written it: bounded, plain, fit to be kept."""

import json
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE_BYTES_MAX = 64 * 1024
"""No submission has more to declare; beyond it somebody wants to fill a page or a message."""

DECLARED_BYTES_MAX = 48 * 1024
"""Hyperparameters, imports and commands as JSON: they go into one message, or one argument."""

SOURCE_BYTES_MAX = 16 << 20
"""No source is larger than any ruleset would take; such a file is not looked into."""

INTEGER_MAX = 2**53 - 1
"""Beyond it a run could not be written down so that every reader reads the same number."""

_CARRIED = ("hyperparameters", "imports", "command", "predict_command")


class UnusableFile(ValueError):
    """A submission.toml that cannot be used; the text says why and what to do."""


def read_tree(path: Path) -> dict[str, Any]:
    """The TOML of a plain file of bounded size.

    Raises:
        OSError: it is not there, or cannot be read.
        Undeclared: no plain file, too large, no TOML, or with values that cannot be written down.
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
    carried = {key: tree.get(key) for key in _CARRIED}
    if len(json.dumps(carried, default=str)) > DECLARED_BYTES_MAX:
        raise UnusableFile(
            f"{', '.join(_CARRIED)} together exceed {DECLARED_BYTES_MAX} bytes as JSON"
        )
    return tree


def read_plain(path: Path, size_max: int) -> bytes:
    """A plain file of bounded size, whole; nothing here can block, whatever lies there.

    Raises:
        OSError: it is not there, or cannot be read.
        Undeclared: no plain file, or larger.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableFile("cannot be read: no plain file; copy its contents in")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(size_max + 1)
    finally:
        os.close(descriptor)
    if len(data) > size_max:
        raise UnusableFile(f"larger than {size_max} bytes")
    return data


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every key and every value that is neither table nor list, with the way to it."""
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
    """Why a value cannot be used; empty where it can."""
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character, which no argument and no name can have; leave it out"
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        return "holds a whole number beyond 2^53, which not every reader can keep; write it as text"
    return ""


def module_fault(name: str) -> str:
    """Why a name of `imports` cannot be imported before the gun; empty where it can."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return "is no module's name; write it as in `import NAME`"
    if "__main__" in parts:
        return "is a program, not a library: importing it would run it"
    return ""
