"""The first line inside a sandbox: it finds the two packages alone, and ends at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.run import sandbox_main

ENTRY = Path(sandbox_main.__file__)


def start(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter that has no site-packages but can load the file."""
    prelude = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('sandbox_main', {str(ENTRY)!r})\n"
        "sandbox_main = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sandbox_main)\n"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + code, *arguments],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )


def test_both_packages_are_detected_at_their_own_places() -> None:
    done = start(
        "sys.meta_path.append(sandbox_main.PackageFinder)\n"
        "import harness, workloads, harness.clock\n"
        "print(harness.__file__, workloads.__file__, harness.clock.now_ns() > 0)\n"
    )
    assert done.returncode == 0, done.stderr
    harness_file, workloads_file, works = done.stdout.split()
    root = ENTRY.parents[2]
    assert Path(harness_file) == root / "harness" / "__init__.py"
    assert Path(workloads_file) == root / "workloads" / "__init__.py"
    assert works == "True"


@pytest.mark.parametrize("name", ["tests", "benchmarks", "docs", "conftest", "os.path2"])
def test_nothing_else_beside_them_can_be_imported(name: str) -> None:
    assert sandbox_main.PackageFinder.find_spec(name) is None
    done = start(f"sys.meta_path.append(sandbox_main.PackageFinder)\nimport {name}\n")
    assert done.returncode != 0
    assert "ModuleNotFoundError" in done.stderr


def test_without_it_they_are_not_there() -> None:
    assert "ModuleNotFoundError" in start("import workloads\n").stderr


def test_a_fault_is_the_last_word_and_the_exit_code_is_one() -> None:
    done = start("sandbox_main.main(['no such role'])\n")
    assert done.returncode == 1
    assert "KeyError" in done.stderr


def test_the_end_skips_what_an_interpreter_does_at_its_end() -> None:
    code = (
        "import atexit, types\n"
        "atexit.register(print, 'late')\n"
        "sys.modules['quiet'] = types.SimpleNamespace(main=lambda rest: print(rest, flush=True))\n"
        "sandbox_main.ROLES['quiet'] = 'quiet'\n"
        "sandbox_main.main(['quiet', 'a', 'b'])\n"
    )
    done = start(code)
    assert (done.returncode, done.stdout) == (0, "['a', 'b']\n")


def test_a_role_is_played_by_a_module_of_the_harness() -> None:
    assert set(sandbox_main.ROLES) == {"train", "predict"}
    for module in sandbox_main.ROLES.values():
        path = ENTRY.parents[2] / Path(*module.split(".")).with_suffix(".py")
        assert path.is_file()
        assert "def main(arguments: list[str]) -> None:" in path.read_text()
