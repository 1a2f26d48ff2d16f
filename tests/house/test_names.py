"""Class names are unique in the harness, and every `noqa` has a reason."""

import ast
import re
import subprocess
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

from tests.house.sources import ROOT, parse, python_files, tokens_of

NOQA = re.compile(r"#\s*noqa(?::\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?(.*)", re.IGNORECASE)


def repeated_classes(root: Path) -> list[str]:
    """`Name: places` for each class name that is defined more than once in `harness`."""
    places = defaultdict(list)
    for path in python_files("harness", root=root):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(root)}:{node.lineno}")
    return [f"{name}: {', '.join(where)}" for name, where in sorted(places.items()) if where[1:]]


def unexplained(text: str) -> list[int]:
    """Lines with a `noqa` that gives no reason.

    The reason follows the codes on the same line, or is a comment on the line above.
    """
    lines = []
    comments = {t.start[0]: t for t in tokens_of(text) if t.type == tokenize.COMMENT}
    for number, token in comments.items():
        match = NOQA.search(token.string)
        above = comments.get(number - 1)
        alone = above is not None and above.line.strip().startswith("#")
        if match and not alone and not re.search(r"[A-Za-z]{2}", match[1]):
            lines.append(number)
    return lines


def test_no_class_name_is_defined_twice() -> None:
    rows = repeated_classes(ROOT)
    assert not rows, f"{len(rows)} names:\n  " + "\n  ".join(rows)


def test_every_noqa_has_a_reason() -> None:
    rows = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files("harness", "workloads", "benchmarks", "tests")
        for line in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert not rows, f"{len(rows)} without a reason:\n  " + "\n  ".join(rows)


def test_a_planted_class_is_reported(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "a.py").write_text("class One: ...\nclass Two: ...\n")
    (tmp_path / "harness" / "b.py").write_text("def f():\n    class Two: ...\n")
    for command in (["git", "init", "-q"], ["git", "add", "-A"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    assert repeated_classes(tmp_path) == ["Two: harness/a.py:2, harness/b.py:2"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("x = 1  # noqa: E501\n", [1]),
        ("x = 1  # noqa\n", [1]),
        ("x = 1  # noqa: E501, S101\n", [1]),
        ("x = 1  # noqa: E501 - a table\n", []),
        ("# A table.\nx = 1  # noqa: E501\n", []),
        ("y = 1  # a table\nx = 1  # noqa: E501\n", [2]),
        ("x = '# noqa: E501'\n", []),
    ],
)
def test_a_planted_noqa_is_reported(text: str, lines: list[int]) -> None:
    assert unexplained(text) == lines
