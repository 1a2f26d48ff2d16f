"""Formats with one file for each recording: reads a file, or every such file below a folder."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.formats.format import (
    Archive,
    make_finding,
    require_path,
    require_runs,
    run_key,
    sorted_runs,
)
from harness.formats.text import Text, TextError, read_text
from harness.records import Finding, ImportedRun

ReadFile = Callable[[Text, str], Iterable[ImportedRun | Finding]]
"""Reads one text; the second argument is the name of the folder that the file is in.

Raises TextError where nothing in it is of the format.
"""


def read_files(path: Path, patterns: Sequence[str], expected: str, read_file: ReadFile) -> Archive:
    """Read all files of a format; one that cannot be read does not lose the others.

    Args:
        path: A file, or a folder with files below.
        patterns: Names of the files in a folder.
        expected: What the path should hold, for messages.
        read_file: Reads one file.

    Raises:
        FormatError: no file is at the path.
    """
    require_path(path, expected)
    root = path.resolve()
    files = {root}
    if root.is_dir():
        files = {file for pattern in patterns for file in root.rglob(pattern) if file.is_file()}
    runs: list[ImportedRun] = []
    findings: list[Finding] = []
    for file in sorted(files):
        try:
            for item in read_file(read_text(file), file.parent.name):
                findings.append(item) if isinstance(item, Finding) else runs.append(item)
        except TextError as error:
            findings.append(make_finding("unreadable-file", str(error), "fail"))
    return require_runs(Archive(sorted_runs(_number(runs)), findings), path, expected)


def _number(runs: Sequence[ImportedRun]) -> Iterator[ImportedRun]:
    """Unique names: recordings that share one get a number appended."""
    counts: Counter[tuple[str, ...]] = Counter()
    for run in runs:
        counts[run_key(run)] += 1
        count = counts[run_key(run)]
        yield run if count == 1 else run.model_copy(update={"run": f"{run.run} ({count})"})


def recording(text: Text, folder: str, source_format: str, **fields: Any) -> ImportedRun:
    """A run of a file; fields that are not given are named after the file and its folder."""
    derived = {
        "workload": text.path.stem,
        "submission": folder,
        "machine": "unknown",
        "run": text.path.stem,
        "status": "ok",
        "source": text.path.name,
        "sha256": text.sha256,
    }
    return ImportedRun(source_format=source_format, **(derived | fields))
