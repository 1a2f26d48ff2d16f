"""The size bars of docs/design.md, section 7, measured with `ast`.

A function's length is the span from its `def` line to its last line, decorators left out, minus
the lines of its docstring: docstrings are demanded, so they must not count against it. For the same
reason the ratio of tests to source is one of lines of code: the house asks every public name of its
source for a docstring, and none of its tests.
"""

import ast
import io
import math
import statistics
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("harness", "workloads")

MEDIAN_LINES = 8
P95_LINES = 35
FUNCTION_LINES = 60
MODULE_LINES = 500
TEST_RATIO = 1.0
FORBIDDEN_STEMS = {"utils", "common", "helpers", "misc"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """One function or method, nested ones included."""

    place: str
    """File and line, for messages."""
    name: str
    """Dotted name within its module."""
    node: FunctionNode
    public: bool
    """No part of the dotted name starts with an underscore, and no function is around it."""

    @property
    def lines(self) -> int:
        """Span without the docstring."""
        return function_lines(self.node)


def function_lines(node: FunctionNode) -> int:
    """Lines from `def` to the end, minus those of the docstring."""
    span = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return span
    return span - ((first.end_lineno or first.lineno) - first.lineno + 1)


def python_files(*folders: str) -> list[Path]:
    """All modules in the named folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def parse(path: Path) -> ast.Module:
    """The module's tree."""
    return ast.parse(path.read_text(), str(path))


def walk_functions(
    node: ast.AST, path: Path, prefix: str = "", *, public: bool = True
) -> Iterator[Function]:
    """Every function below a node, with its dotted name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode | ast.ClassDef):
            name = f"{prefix}{child.name}"
            seen = public and not child.name.startswith("_")
            if isinstance(child, FunctionNode):
                place = f"{path.relative_to(ROOT)}:{child.lineno}"
                yield Function(place, name, child, seen)
                seen = False
            yield from walk_functions(child, path, f"{name}.", public=seen)
        else:
            yield from walk_functions(child, path, prefix, public=public)


@cache
def functions() -> tuple[Function, ...]:
    """Every function of the source folders."""
    return tuple(
        function
        for path in python_files(*SOURCES)
        for function in walk_functions(parse(path), path)
    )


def missing_annotations(node: FunctionNode, *, method: bool) -> list[str]:
    """Names of the arguments, or `return`, that carry no annotation."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    if method and not static:
        named = named[1:]
    named += arguments.kwonlyargs
    named += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    bare = [argument.arg for argument in named if argument.annotation is None]
    return bare if node.returns is not None else [*bare, "return"]


def methods_of(tree: ast.Module) -> set[FunctionNode]:
    """Functions whose first argument is the object or class itself."""
    return {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for child in node.body
        if isinstance(child, FunctionNode)
    }


def exempt_from_docstring(node: FunctionNode) -> bool:
    """Overloads, overrides and setters say what the one they belong to says."""
    names = {
        d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "")
        for d in node.decorator_list
    }
    return bool(names & {"overload", "override", "setter", "deleter"})


LAYOUT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of strings that stand alone: docstrings of modules, classes, functions, attributes."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def code_lines(text: str) -> int:
    """Lines of code: neither blank, nor comment, nor docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    held = {
        line
        for token in tokens
        if token.type not in LAYOUT
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(held - docstring_lines(ast.parse(text)))


def written_lines(paths: list[Path]) -> int:
    """Lines of code of several files."""
    return sum(code_lines(path.read_text()) for path in paths)


def listing(rows: list[str]) -> str:
    """Rows as an indented list, for an assertion's message."""
    return "\n  " + "\n  ".join(rows)


def test_there_is_something_to_measure() -> None:
    assert functions()


def test_median_function() -> None:
    assert statistics.median(function.lines for function in functions()) <= MEDIAN_LINES


def test_95th_percentile_function() -> None:
    ordered = sorted(functions(), key=lambda function: function.lines)
    rank = math.ceil(0.95 * len(ordered)) - 1
    longest = [f"{f.place} {f.name}: {f.lines} lines" for f in ordered[rank:][::-1]]
    assert ordered[rank].lines <= P95_LINES, listing(longest)


def test_longest_function() -> None:
    long = [f"{f.place} {f.name}: {f.lines}" for f in functions() if f.lines > FUNCTION_LINES]
    assert not long, f"longer than {FUNCTION_LINES} lines; split them:{listing(long)}"


def test_longest_module() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in python_files(*SOURCES, "tests")}
    long = [f"{path.relative_to(ROOT)}: {n}" for path, n in sizes.items() if n > MODULE_LINES]
    assert not long, (
        f"over {MODULE_LINES} lines; make each a package of the same name:{listing(long)}"
    )


def test_every_function_is_annotated() -> None:
    bare = []
    for path in python_files(*SOURCES):
        tree = parse(path)
        methods = methods_of(tree)
        for function in walk_functions(tree, path):
            missing = missing_annotations(function.node, method=function.node in methods)
            if missing:
                bare.append(f"{function.place} {function.name}: {', '.join(missing)}")
    assert not bare, f"without annotation:{listing(bare)}"


def undocumented_classes(node: ast.AST, path: Path) -> Iterator[str]:
    """Public classes without a docstring, nested ones included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            if ast.get_docstring(child) is None:
                yield f"{path.relative_to(ROOT)}:{child.lineno} class {child.name}"
            yield from undocumented_classes(child, path)


def test_every_public_name_is_documented() -> None:
    bare = [f"{f.place} {f.name}" for f in functions() if f.public and not documented(f.node)]
    for path in python_files(*SOURCES):
        if ast.get_docstring(parse(path)) is None:
            bare.append(f"{path.relative_to(ROOT)}: module")
        bare.extend(undocumented_classes(parse(path), path))
    assert not bare, f"without docstring:{listing(sorted(bare))}"


def documented(node: FunctionNode) -> bool:
    """Whether it has a docstring or needs none."""
    return ast.get_docstring(node) is not None or exempt_from_docstring(node)


def test_no_drawer_for_odds_and_ends() -> None:
    named = [
        str(path.relative_to(ROOT))
        for path in python_files(*SOURCES, "tests")
        if FORBIDDEN_STEMS & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]
    assert not named, f"names that say nothing; name what is inside:{listing(named)}"


def test_as_many_lines_of_tests_as_of_source() -> None:
    source, tests = written_lines(python_files(*SOURCES)), written_lines(python_files("tests"))
    assert tests >= TEST_RATIO * source, f"{tests} lines of tests for {source} lines of source"


def test_lines_of_code_leave_out_what_is_no_code() -> None:
    text = '"""Doc."""\n\nX = 1  # why\n"""About X,\nat length."""\n\n# alone\nY = """a\nb"""\n'
    assert code_lines(text) == 3, "X, and the two lines of Y"


SAMPLE = '''
class Public:
    """Doc."""

    def method(self, count: int, *rest) -> int:
        """One.

        Two.
        """
        return count

    def _hidden(self): ...

    @property
    def size(self) -> int:
        """Size."""
        def inner(x): return x
        return inner(1)
'''


@pytest.fixture
def sample() -> dict[str, Function]:
    found = walk_functions(ast.parse(SAMPLE), ROOT / "sample.py")
    return {function.name: function for function in found}


def test_measuring_leaves_docstrings_out(sample: dict[str, Function]) -> None:
    assert sample["Public.method"].lines == 2
    assert sample["Public._hidden"].lines == 1
    assert sample["Public.size"].lines == 3


def test_measuring_finds_missing_annotations(sample: dict[str, Function]) -> None:
    assert missing_annotations(sample["Public.method"].node, method=True) == ["rest"]
    assert missing_annotations(sample["Public._hidden"].node, method=True) == ["return"]
    assert missing_annotations(sample["Public.size.inner"].node, method=False) == ["x", "return"]


def test_measuring_knows_what_is_public(sample: dict[str, Function]) -> None:
    assert [name for name, function in sample.items() if function.public] == [
        "Public.method",
        "Public.size",
    ]
