"""Docstrings as text for a page: what a function, a module or a record's field says of itself."""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape

_SECTION = re.compile(r"(Args|Returns|Raises|Yields|Attributes):")
_BREAK = re.compile(r"\n\s*\n|\n(?=- )")
"""Between two paragraphs, or two points of a list."""

_SOURCED = re.compile(r"\b(1[89]|20)\d\d\b|[=·√]")
"""The year of a source, or a formula."""

_NONE = re.compile(r"\bNone\b")
_CODE = re.compile(r"`([^`]+)`")


class Told(NamedTuple):
    """A docstring, taken apart."""

    name: str
    """As Python calls it, `module.function`."""
    summary: str
    """Its first paragraph."""
    body: tuple[str, ...]
    """The other paragraphs; arguments and exceptions are left out."""
    returns: str
    """What it says of its result; empty where that is in the summary."""


def _joined(block: str) -> str:
    """One line; what Python calls None is none to a reader."""
    return " ".join(_NONE.sub("none", block).split())


def told(name: str, text: str) -> Told:
    """Take a docstring of the google style apart."""
    blocks = [part for part in _BREAK.split(inspect.cleandoc(text)) if part.strip()]
    plain = [_joined(block) for block in blocks if not _SECTION.match(block)]
    sections = [block.partition(":") for block in blocks if _SECTION.match(block)]
    named = {head: rest for head, _, rest in sections}
    summary = plain[0] if plain else ""
    return Told(name, summary, tuple(plain[1:]), _joined(named.get("Returns", "")))


def told_by(thing: object) -> Told:
    """What a function or a class says of itself."""
    module = getattr(thing, "__module__", "")
    name = getattr(thing, "__qualname__", "")
    return told(f"{module}.{name}".strip("."), inspect.getdoc(thing) or "")


def told_in(name: str, path: Path) -> Told:
    """What a module says of itself, read without importing it.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is no Python.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return told(name, ast.get_docstring(tree) or "")


def told_functions(module: str, path: Path) -> list[Told]:
    """Functions of a module that say how they come to what they give, as they stand there.

    Those that state a formula, a source or a rule do so below their first line or in what they
    say of their result; of the others the first line would stand alone.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is no Python.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [item for item in tree.body if isinstance(item, ast.FunctionDef)]
    said = (told(f"{module}.{item.name}", ast.get_docstring(item) or "") for item in found)
    return [item for item in said if item.body or item.returns or _SOURCED.search(item.summary)]


def keyword_of(path: Path, function: str, keyword: str) -> dict[str, str]:
    """Expressions of a mapping that a function passes on under a keyword, as they are written.

    Returns:
        Expression by key; nothing where the function passes no such mapping.

    Raises:
        OSError: the module cannot be read.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = (item for item in ast.walk(tree) if getattr(item, "name", "") == function)
    for node in (inner for item in inside for inner in ast.walk(item)):
        if not (isinstance(node, ast.keyword) and node.arg == keyword):
            continue
        if isinstance(node.value, ast.Dict):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {ast.literal_eval(key): ast.unparse(value) for key, value in pairs if key}
    return {}


def _string(node: ast.stmt) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) else ""


def fields_of(record: type, *, told_only: bool = False) -> Mapping[str, str]:
    """What is said below each field of a record; nothing where its source is not at hand.

    Args:
        record: a class with annotated fields.
        told_only: leave out the fields of which nothing is said.
    """
    try:
        source = textwrap.dedent(inspect.getsource(record))
    except (OSError, TypeError):
        return {}
    body = ast.parse(source).body[0]
    lines = body.body if isinstance(body, ast.ClassDef) else []
    return {
        before.target.id: _joined(_string(after))
        for before, after in pairwise(lines)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if _string(after) or not told_only
    }


def marked(text: str) -> Markup:
    """Text for a page, with what stands between backticks set as code."""
    parts = _CODE.split(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
