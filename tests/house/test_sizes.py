"""Sizes, annotations and docstrings of the source, each counted in one way.

A line of code is neither blank nor only a comment or a docstring. A function's length is its
number of lines of code from `def` to its end, functions inside it included. A public name is a
module, or a class or function whose own name does not begin with an underscore, wherever it is
defined: in a private class or in a function too. `@overload`, `@override` and setters need no
docstring. Measured are all tracked files of `harness` and `workloads`.
"""

import ast
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.sources import ROOT, FunctionNode, code_lines, parse, python_files

SOURCES = ("harness", "workloads")
P95_LINES = 35
FUNCTION_LINES = 60
MODULE_LINES = 500
DOCUMENTED_RATIO = 0.98
FORBIDDEN_STEMS = {"utils", "common", "helpers", "misc"}


def functions_of(tree: ast.Module) -> Iterator[FunctionNode]:
    """All functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def function_lengths(text: str) -> dict[str, int]:
    """`line name` of each function to its number of lines of code."""
    lines = code_lines(text)
    return {
        f"{node.lineno} {node.name}": sum(
            node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines
        )
        for node in functions_of(ast.parse(text))
    }


@cache
def lengths() -> dict[str, int]:
    """`file:line name` of each function of the source to its number of lines of code."""
    return {
        f"{path.relative_to(ROOT)}:{name}": length
        for path in python_files(*SOURCES)
        for name, length in function_lengths(path.read_text()).items()
    }


def missing_annotations(tree: ast.Module) -> list[str]:
    """`line function: names` for functions with an argument or a return that has no annotation."""
    methods = {
        node
        for outer in ast.walk(tree)
        if isinstance(outer, ast.ClassDef)
        for node in outer.body
        if isinstance(node, FunctionNode) and "staticmethod" not in decorators(node)
    }
    rows = []
    for node in functions_of(tree):
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args][node in methods :]
        named += [*arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
        names = [argument.arg for argument in named if argument.annotation is None]
        names += ["return"] if node.returns is None else []
        if names:
            rows.append(f"{node.lineno} {node.name}: {', '.join(names)}")
    return rows


def decorators(node: FunctionNode) -> set[str]:
    """Names of a function's decorators, without the module or object they belong to."""
    return {
        item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "")
        for item in node.decorator_list
    }


def public_names(tree: ast.Module) -> dict[str, bool]:
    """`line name` of each public name of a module, and whether it has a docstring."""
    names = {"1 module": ast.get_docstring(tree) is not None}
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode | ast.ClassDef) and not node.name.startswith("_"):
            exempt = isinstance(node, FunctionNode) and bool(
                decorators(node) & {"overload", "override", "setter", "deleter"}
            )
            names[f"{node.lineno} {node.name}"] = exempt or ast.get_docstring(node) is not None
    return names


def rows_of(items: list[str]) -> str:
    """Items as an indented list, for the message of an assertion."""
    return "\n  " + "\n  ".join(items)


def test_the_95th_percentile_of_functions_is_short() -> None:
    ordered = sorted(lengths().items(), key=lambda item: item[1])
    longest = ordered[math.ceil(0.95 * len(ordered)) - 1 :]
    assert longest[0][1] <= P95_LINES, rows_of([f"{place}: {n}" for place, n in longest])


def test_no_function_is_long() -> None:
    long = [f"{place}: {n} lines" for place, n in lengths().items() if n > FUNCTION_LINES]
    assert not long, f"longer than {FUNCTION_LINES} lines of code; split them:{rows_of(long)}"


def test_no_module_is_long() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in python_files(*SOURCES, "tests")}
    long = [f"{path.relative_to(ROOT)}: {n}" for path, n in sizes.items() if n > MODULE_LINES]
    assert not long, f"over {MODULE_LINES} lines; make each a package:{rows_of(long)}"


def test_every_function_is_annotated() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{row}"
        for path in python_files(*SOURCES)
        for row in missing_annotations(parse(path))
    ]
    assert not bare, f"without annotation:{rows_of(bare)}"


def test_public_names_are_documented() -> None:
    names = {
        f"{path.relative_to(ROOT)}:{name}": documented
        for path in python_files(*SOURCES)
        for name, documented in public_names(parse(path)).items()
    }
    bare = [name for name, documented in names.items() if not documented]
    assert len(bare) <= (1 - DOCUMENTED_RATIO) * len(names), f"no docstring:{rows_of(bare)}"


def test_no_file_or_folder_has_a_name_without_meaning() -> None:
    named = [
        str(path.relative_to(ROOT))
        for path in python_files(*SOURCES, "tests")
        if FORBIDDEN_STEMS & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]
    assert not named, f"name what is inside:{rows_of(named)}"


# --- the measurements themselves ------------------------------------------------------------------

SAMPLE = '''
class _Private:
    def method(self, count: int, *rest) -> int:
        """One.

        Two.
        """
        # a comment

        return count

    def _hidden(self): ...

    @property
    def size(self) -> int:
        """Size."""
        def inner(x): return x
        return inner(
            1
        )
'''


def test_code_lines_leave_out_docstrings_comments_and_blank_lines() -> None:
    text = '"""Doc."""\n\nX = 1  # why\n"""About X,\nat length."""\n\n# alone\nY = """a\nb"""\n'
    assert code_lines(text) == {3, 8, 9}


def test_lengths_are_lines_of_code() -> None:
    sample = {key.split()[1]: length for key, length in function_lengths(SAMPLE).items()}
    assert sample == {"method": 2, "_hidden": 1, "size": 5, "inner": 1}


def test_missing_annotations_are_named() -> None:
    assert [row.split(" ", 1)[1] for row in missing_annotations(ast.parse(SAMPLE))] == [
        "method: rest",
        "_hidden: return",
        "inner: x, return",
    ]


@pytest.mark.parametrize(
    ("name", "documented"), [("module", False), ("method", True), ("size", True), ("inner", False)]
)
def test_public_names_are_those_of_private_classes_too(name: str, documented: bool) -> None:
    names = {key.split()[1]: value for key, value in public_names(ast.parse(SAMPLE)).items()}
    assert names[name] is documented
    assert "_Private" not in names
    assert "_hidden" not in names


def test_paths_are_below_the_checkout() -> None:
    assert Path("harness/api.py") in {path.relative_to(ROOT) for path in python_files("harness")}
