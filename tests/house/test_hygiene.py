"""What must not be in the tracked files, and that every change is told to its users."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from harness import __version__

ROOT = Path(__file__).parents[2]

PRIVATE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root)/[\w.]")
"""A folder of somebody's own machine."""

REGISTRY_HOST = re.compile(
    r"\b(?:(?:test\.)?pypi\.org|pypi\.python\.org|pythonhosted\.org|registry\.npmjs\.org"
    r"|proxy\.golang\.org|download\.pytorch\.org|(?:deb|ftp|security)\.debian\.org"
    r"|(?:archive|security|ports)\.ubuntu\.com)\b"
)
"""Where packages come from is the business of each machine's package managers."""

WALL_CLOCK = re.compile(r"\btime\.time\(")


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks and that are there."""
    command = ["git", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return tuple(path for path in paths if path.is_file())


def text_of(path: Path) -> str:
    """The file's text; empty for binary files."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def hits(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """`file:line: text` for each line that matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]


def test_files_are_tracked() -> None:
    assert ROOT / "pyproject.toml" in tracked()


@pytest.mark.parametrize("pattern", [PRIVATE_PATH, REGISTRY_HOST], ids=["path", "registry"])
def test_nothing_of_one_machine_is_tracked(pattern: re.Pattern[str]) -> None:
    assert hits(pattern, list(tracked())) == []


def test_the_wall_clock_is_read_in_one_place_only() -> None:
    sources = [
        path
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in {"harness", "workloads"}
        and path != ROOT / "harness" / "clock.py"
    ]
    assert hits(WALL_CLOCK, sources) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (PRIVATE_PATH, "/".join(["open('", "work", "main')"])),
        (PRIVATE_PATH, "/".join(["", "root", ".cache"])),
        (REGISTRY_HOST, ".".join(["https://files", "pythonhosted", "org/packages"])),
        (WALL_CLOCK, "started = time" + ".time()"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize(
    "line", ["frame/work/unit", "/sys/class/powercap", "~/work/x", "/workload/"]
)
def test_other_paths_pass(line: str) -> None:
    assert not PRIVATE_PATH.search(line)


def test_the_changelog_has_the_next_release() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in text or f"## {__version__} " in text
