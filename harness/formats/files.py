"""Formats of one file a recording: reads a file, or every such file below a folder."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.formats.format import Archive, make_finding, require_path, require_runs, sorted_runs
from harness.formats.text import Text, TextError, read_text
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
        yield make_finding(rule, str(error), "fail")
    except csv.Error as error:
        yield make_finding(rule, f"{file}: no table: {error}", "fail")


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
    return require_runs(Archive(sorted_runs(_apart(runs)), findings), path, expected)


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
