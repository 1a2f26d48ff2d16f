"""Imported runs on disk: one file of JSON lines for each archive."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.formats.format import make_finding, run_key
from harness.records import Finding, ImportedRun
from harness.storage import write_file

FOLDER = "imported"


def archive_file(results: Path, format_name: str, path: Path) -> Path:
    """The file of an archive: a second import of the same path replaces the first."""
    place = path.resolve()
    slug = re.sub(r"[^a-z0-9]+", "-", place.name.lower()).strip("-")[:60] or "archive"
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:8]
    return results / FOLDER / format_name / f"{slug}-{digest}.jsonl"


def write_runs(file: Path, runs: list[ImportedRun]) -> None:
    """Write the runs, one a line, all or none.

    Raises:
        OSError: they could not be written.
    """
    lines = [run.model_dump_json(exclude_defaults=True) + "\n" for run in runs]
    write_file(file, "".join(lines).encode())


def records_files(results: Path, source_format: str) -> list[Path]:
    """Files with a format's records below a results folder, or in that folder itself, sorted."""
    for folder in (results / FOLDER / source_format, results / source_format, results):
        files = sorted(folder.glob("*.jsonl"))
        if files and (folder != results or folder.name == source_format):
            return files
    return []


def _read_file(file: Path) -> Iterator[ImportedRun | Finding]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        yield make_finding("imported-damaged", message, "fail")
        return
    for number, line in enumerate(lines, 1):
        try:
            yield ImportedRun.model_validate_json(line)
        except ValidationError as error:
            why = error.errors(include_url=False, include_input=False)[0]["msg"]
            message = f"{file}, line {number}: no imported record: {why}"
            yield make_finding("imported-damaged", message, "fail", "import the archive again")


def read_runs(results: Path, source_format: str) -> tuple[list[ImportedRun], list[Finding]]:
    """All records of a format, in an order that does not depend on files, and what is wrong.

    A run that two archives hold counts once; where the two differ, the first file by name counts.
    """
    runs: dict[tuple[str, ...], ImportedRun] = {}
    findings: list[Finding] = []
    copies = 0
    for file in records_files(results, source_format):
        for run in _read_file(file):
            if isinstance(run, Finding):
                findings.append(run)
            else:
                copies += runs.setdefault(run_key(run), run) is not run
    if copies:
        message = f"{copies} records of {source_format} were imported twice and count once"
        findings.append(make_finding("imported-copied", message))
    return [runs[key] for key in sorted(runs)], findings
