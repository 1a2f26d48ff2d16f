"""The floors hold: imports go downwards only, and `joulemark --help` loads nothing heavy."""

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
HEAVY = ("torch", "pandas", "matplotlib", "scipy", "pydantic")

BAD_IMPORTS = {
    "harness/score/planted.py": ("import torch", "torch"),
    "harness/measure/planted.py": ("import harness.cli", "harness.cli"),
    "harness/run/planted.py": ("import pandas", "pandas"),
    "harness/report/planted.py": ("import matplotlib.pyplot", "matplotlib"),
    "workloads/tasks/planted.py": ("import harness.clock", "harness.clock"),
    "harness/planted.py": ("", "planted"),
}
"""What must not be possible, by file: the line that does it, and what the report names."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in a folder."""
    return subprocess.run(
        [str(SCRIPTS / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_contract_is_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    """A tree with an empty module for each part that a contract names."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    floors = next(c for c in config["contracts"] if c["id"] == "floors")["layers"]
    parts = {name for floor in floors for name in re.findall(r"\((\w+)\)", floor)}
    packages = [f"harness/{part}" for part in sorted(parts - {"__main__"})]
    for package in ["harness", *packages, "workloads", "workloads/tasks"]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_an_innocent_tree_passes(small_house: Path) -> None:
    (small_house / "workloads/tasks/innocent.py").write_text("import harness.api\nimport torch\n")
    (small_house / "harness/report/figures.py").write_text("import matplotlib.pyplot\n")
    (small_house / "harness/score/frames.py").write_text("import pandas\nimport harness.bundle\n")
    (small_house / "harness/run/predictor_shim.py").write_text("import torch\n")
    done = lint_imports(small_house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", BAD_IMPORTS)
def test_a_planted_fault_is_detected(small_house: Path, path: str) -> None:
    line, named = BAD_IMPORTS[path]
    (small_house / path).write_text(f"{line}\n")
    done = lint_imports(small_house)
    assert done.returncode == 1, done.stdout + done.stderr
    assert named in done.stdout


def harness_imports(source: str) -> Iterator[str]:
    """Modules of the harness that a source file imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "harness")


def test_submissions_import_nothing_but_the_api() -> None:
    """Their folders are no packages, so import-linter does not see them."""
    strays = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "workloads" / "submissions").rglob("*.py"))
        for name in harness_imports(path.read_text())
        if not f"{name}.".startswith("harness.api.")
    ]
    assert strays == []


def test_imports_of_the_harness_are_seen() -> None:
    source = "import harness\nfrom harness import clock\nfrom harness.api import Session\nimport os"
    assert list(harness_imports(source)) == ["harness", "harness.clock", "harness.api.Session"]


@cache
def loaded_by_help() -> frozenset[str]:
    """Top-level names of all modules that `joulemark --help` loads, by Python's own account."""
    command = [sys.executable, "-X", "importtime", str(SCRIPTS / "joulemark"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr.partition("Traceback")[2]
    assert "Usage" in done.stdout
    rows = re.findall(r"^import time:.*\|\s*([\w.]+)$", done.stderr, flags=re.MULTILINE)
    return frozenset(row.partition(".")[0] for row in rows)


def test_help_loads_the_command_line() -> None:
    assert {"harness", "click"} <= loaded_by_help()


@pytest.mark.parametrize("module", HEAVY)
def test_help_loads_nothing_heavy(module: str) -> None:
    assert module not in loaded_by_help()
