"""Verbs are found as files, loaded when they are named, and cost nothing until then."""

import json
import os
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from harness import __version__
from harness.cli.group import ORDER, VERBS, verb_names

SCRIPT = Path(sysconfig.get_path("scripts")) / "joulemark"
HEAVY = ("torch", "pandas", "matplotlib", "scipy", "numpy", "pydantic", "rich", "harness.records")

MODULES = """
import json, sys
from harness.cli import main
try:
    main(["--help"])
except SystemExit as leaving:
    print(json.dumps({"code": leaving.code, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def after_help() -> dict[str, object]:
    """Exit code and loaded modules of `joulemark --help`."""
    done = subprocess.run(
        [sys.executable, "-c", MODULES], capture_output=True, text=True, check=True
    )
    output: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return output


@pytest.mark.parametrize("module", HEAVY)
def test_help_loads_nothing_heavy(after_help: dict[str, object], module: str) -> None:
    modules = after_help["modules"]
    assert isinstance(modules, list)
    assert "click" in modules
    assert module not in modules


def test_help_is_fast() -> None:
    """In CPU seconds, or twenty starts of Python: no load and no slow machine may decide."""
    python_s = least_cpu_s(sys.executable, "-c", "")
    assert least_cpu_s(str(SCRIPT), "--help") <= max(0.25, 20 * python_s)


def least_cpu_s(*command: str) -> float:
    """What a command costs, the best of five."""

    def spent_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    costs = []
    for _ in range(5):
        before = spent_s()
        subprocess.run(command, capture_output=True, check=True)
        costs.append(spent_s() - before)
    return min(costs)


def test_every_verb_has_a_file_and_a_line_of_help(joulemark) -> None:
    shown = joulemark("--help").stdout
    for name in verb_names():
        assert f"\n  {name} " in shown
        assert joulemark(name, "--help").exit_code == 0


def test_the_order_names_no_verb_that_is_gone() -> None:
    assert set(ORDER) <= {path.stem for path in VERBS.glob("*.py")}


@pytest.mark.parametrize("verb", ["doctor", "list", "run", "score", "verify", "report", "demo"])
def test_the_verbs_of_the_contract_are_there(verb: str) -> None:
    assert verb in verb_names()


def test_version(joulemark) -> None:
    assert joulemark("--version").stdout == f"joulemark {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"), [("lst", "list"), ("Verfy", "verify"), ("docter", "doctor")]
)
def test_near_misses_are_understood(joulemark, typed: str, meant: str) -> None:
    result = joulemark(typed)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"unknown command '{typed}': did you mean {meant}?" in result.stderr


def test_no_near_name_lists_all(joulemark) -> None:
    assert all(name in joulemark("xyzzy").stderr for name in verb_names())


def test_without_a_verb_the_help_is_shown(joulemark) -> None:
    result = joulemark()
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_a_new_file_is_a_new_command(tmp_path: Path) -> None:
    """One file, one verb: nothing else is edited."""
    copy = tmp_path / "harness"
    copy.mkdir()
    for name in ("__init__.py", "clock.py", "errors.py"):
        (copy / name).write_bytes((VERBS.parents[1] / name).read_bytes())
    for path in VERBS.parent.rglob("*.py"):
        target = copy / "cli" / path.relative_to(VERBS.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (copy / "cli" / "verbs" / "greet.py").write_text(
        'import click\n\n@click.command("greet")\ndef command():\n    click.echo("good day")\n'
    )
    command = [sys.executable, "-c", "from harness.cli import main; main()", "greet"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "good day\n"), done.stderr
