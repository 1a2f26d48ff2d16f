"""Formats of one file a recording: reads a file, or every such file below a folder."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.formats.format import Archive, complaint, require_path, require_runs, unique_runs
from harness.formats.text import Text, TextError, read_text
from harness.measure.power import integrate
from harness.records import Finding, ImportedRun

ReadFile = Callable[[Text, str], Iterable[ImportedRun | Finding]]
"""Reads one text; the second argument is the name of the folder that it lies in.

Raises TextError where nothing in it is of the format.
"""


def _matching(path: Path, patterns: Sequence[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted({item for pattern in patterns for item in path.rglob(pattern) if item.is_file()})


def _one(file: Path, rule: str, read_file: ReadFile) -> Iterator[ImportedRun | Finding]:
    try:
        yield from read_file(read_text(file), file.parent.name)
    except TextError as error:
        yield complaint(rule, str(error), "fail")
    except csv.Error as error:
        yield complaint(rule, f"{file}: no table: {error}", "fail")


def read_files(path: Path, patterns: Sequence[str], expected: str, read_file: ReadFile) -> Archive:
    """Read all files of a format; one that cannot be read does not lose the others.

    Raises:
        FormatError: no file is at the path.
    """
    require_path(path, expected)
    runs: list[ImportedRun] = []
    findings: list[Finding] = []
    for file in _matching(path.resolve(), patterns):
        for found in _one(file, "unreadable-file", read_file):
            findings.append(found) if isinstance(found, Finding) else runs.append(found)
    return require_runs(Archive(unique_runs(_apart(runs)), findings), path, expected)


def _apart(runs: Sequence[ImportedRun]) -> Iterator[ImportedRun]:
    """Runs under names of their own: recordings that share one get a number behind it."""
    seen: dict[tuple[str, ...], int] = {}
    for run in runs:
        key = (run.submission, run.machine, run.workload, run.run)
        seen[key] = count = seen.get(key, 0) + 1
        yield run if count == 1 else run.model_copy(update={"run": f"{run.run} ({count})"})


def recording(text: Text, folder: str, source_format: str, **fields: Any) -> ImportedRun:
    """A run of a file, with the names that files of no benchmark have."""
    named = {
        "workload": text.path.stem,
        "submission": folder,
        "machine": "unknown",
        "run": text.path.stem,
        "status": "ok",
        "source": text.path.name,
        "sha256": text.sha256,
    }
    return ImportedRun(source_format=source_format, **(named | fields))


def trapezoid(points: Sequence[tuple[float, float]]) -> float:
    """∫ p dt in joules over (seconds, watts) in the order of time."""
    if not points:
        return 0.0
    t_s, watts = np.array(points, dtype=np.float64).T
    return integrate(t_s, watts, t_s[0], t_s[-1])


def in_order(
    text: Text, rule: str, points: Sequence[tuple[float, float]]
) -> tuple[list[tuple[float, float]], list[Finding]]:
    """Points sorted by time, and what was wrong with their order."""
    ordered = sorted(points, key=lambda point: point[0])
    if list(points) == ordered:
        return ordered, []
    message = f"{text.path}: readings are out of order or the clock was set back; sorted by time"
    return ordered, [complaint(rule, message)]
