"""What `joulemark import` does and says: reads an archive, keeps its runs, lists what was found."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from harness.formats._store import archive_file, write_runs
from harness.formats.format import Archive, Format, FormatError
from harness.records import Finding, ImportedRun, Status
from harness.records.base import FORMAT, Record
from harness.registry import find
from harness.rules.load import rulesets_for

NAMES_SHOWN = 12


class ImportedItem(Record):
    """One run, in short; the whole record is in the file."""

    workload: str
    submission: str
    machine: str
    run: str
    status: Status
    time_s: float | None
    energy_by_method_j: dict[str, float]


class Tally(Record):
    """How many different ones of something there are."""

    what: str
    count: int
    names: tuple[str, ...]
    """The most frequent first; not all where there are many."""


class ImportDocument(Record):
    """`joulemark import`."""

    format: int = FORMAT
    source_format: str
    path: str
    results: str
    file: str
    """Where the records are now."""
    runs_count: int
    found: tuple[Tally, ...]
    runs: tuple[ImportedItem, ...]
    findings: tuple[Finding, ...]
    """Of the archive and of all its runs, the gravest first."""
    rulesets: tuple[str, ...]
    """Built-in rulesets that score such records."""


def _tally(what: str, names: Sequence[str]) -> Tally:
    votes = Counter(names)
    ordered = sorted(votes, key=lambda name: (-votes[name], name))
    return Tally(what=what, count=len(votes), names=tuple(ordered[:NAMES_SHOWN]))


def _item(run: ImportedRun) -> ImportedItem:
    return ImportedItem(
        workload=run.workload,
        submission=run.submission,
        machine=run.machine,
        run=run.run,
        status=run.status,
        time_s=run.time_s,
        energy_by_method_j=run.energy_by_method_j,
    )


def _all_findings(archive: Archive) -> tuple[Finding, ...]:
    order = {"fail": 0, "warn": 1, "info": 2}
    found = [*archive.findings, *(each for run in archive.runs for each in run.findings)]
    return tuple(sorted(found, key=lambda each: order[each.level]))


def import_archive(format_name: str, path: Path, results: Path) -> ImportDocument:
    """Read an archive and keep its runs.

    Raises:
        UnknownPlugin: there is no such format.
        FormatError: it is not read, or nothing of it is at the path.
        OSError: the records could not be written.
    """
    plugin = cast("Format", find("formats", format_name).value)
    if plugin.read is None:
        raise FormatError(f"format {format_name} is only written: joulemark export {format_name}")
    archive = plugin.read(path)
    file = archive_file(results, format_name, path)
    write_runs(file, archive.runs)
    return ImportDocument(
        source_format=format_name,
        path=str(path),
        results=str(results),
        file=str(file),
        runs_count=len(archive.runs),
        found=tuple(
            _tally(what, [getattr(run, what) for run in archive.runs])
            for what in ("workload", "submission", "machine", "status")
        ),
        runs=tuple(_item(run) for run in archive.runs),
        findings=_all_findings(archive),
        rulesets=rulesets_for(format_name),
    )
