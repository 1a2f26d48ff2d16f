"""Reads imported records back; copies count once."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.records import Finding, ImportedRun

FOLDER = "imported"


def records_files(results: Path, source_format: str) -> list[Path]:
    """Files with a format's records below a results folder, or in that folder itself, sorted."""
    for folder in (results / FOLDER / source_format, results / source_format, results):
        files = sorted(folder.glob("*.jsonl"))
        if files and (folder != results or folder.name == source_format):
            return files
    return []


def _lines(file: Path) -> Iterator[ImportedRun | Finding]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        yield Finding(rule="imported-damaged", level="fail", message=message)
        return
    for number, line in enumerate(lines, 1):
        try:
            yield ImportedRun.model_validate_json(line)
        except ValidationError as error:
            why = error.errors(include_url=False, include_input=False)[0]["msg"]
            message = f"{file}, line {number}: no imported record: {why}"
            advice = "import the archive again"
            yield Finding(rule="imported-damaged", level="fail", message=message, advice=advice)


def read_runs(results: Path, source_format: str) -> tuple[list[ImportedRun], list[Finding]]:
    """All records of a format, in an order that does not depend on files, and what is wrong.

    A run that two archives hold counts once; where the two differ, the first file by name counts.
    """
    found: dict[tuple[str, ...], ImportedRun] = {}
    findings: list[Finding] = []
    copies = 0
    for file in records_files(results, source_format):
        for run in _lines(file):
            if isinstance(run, Finding):
                findings.append(run)
                continue
            key = (run.submission, run.machine, run.workload, run.run)
            copies += found.setdefault(key, run) is not run
    if copies:
        message = f"{copies} records of {source_format} were imported twice and count once"
        findings.append(Finding(rule="imported-copied", level="warn", message=message))
    return [found[key] for key in sorted(found)], findings
