"""The tracked files of a checkout, and what the tests of this folder read in them."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked(root: Path = ROOT) -> tuple[str, ...]:
    """Paths of the files that git tracks and that exist, relative to `root`."""
    command = ["git", "ls-files", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return tuple(path for path in done.stdout.split("\0") if path and (root / path).is_file())


def python_files(*folders: str, root: Path = ROOT) -> list[Path]:
    """Tracked Python files below some folders, sorted."""
    below = tuple(f"{folder}/" for folder in folders)
    return [
        root / path for path in tracked(root) if path.endswith(".py") and path.startswith(below)
    ]


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def tokens_of(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of Python source text."""
    return tokenize.generate_tokens(io.StringIO(text).readline)


_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that are neither blank nor only a comment or a docstring."""
    lines = {
        number
        for token in tokens_of(text)
        if token.type not in _NO_CODE
        for number in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines
