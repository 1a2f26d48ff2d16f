"""`joulemark import`: reads an archive, keeps its runs, and lists them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from harness.formats.format import Format, FormatError
from harness.formats.store import archive_file, write_runs
from harness.records import Finding, Status
from harness.records.base import FORMAT, Record
from harness.registry import find
from harness.rules.load import rulesets_for

NAMES_SHOWN = 12
REASONS_SHOWN = 3
LEVELS = ("fail", "warn", "info")
"""Of findings, the gravest first."""


class ImportedItem(Record):
    """One run, in short; the whole record is in the file."""

    workload: str
    submission: str
    machine: str
    run: str
    status: Status
    time_s: float | None
    energy_by_method_j: dict[str, float]
    energy_u_j: float | None = None
    """Expanded uncertainty (k = 2) of the method `window`; None: unknown."""


class NameCount(Record):
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
    counts: tuple[NameCount, ...]
    runs: tuple[ImportedItem, ...]
    findings: tuple[Finding, ...]
    """Of the archive and of all its runs, the gravest first."""
    rulesets: tuple[str, ...]
    """Built-in rulesets that score such records."""


def _count_names(what: str, names: Sequence[str]) -> NameCount:
    votes = Counter(names)
    ordered = sorted(votes, key=lambda name: (-votes[name], name))
    return NameCount(what=what, count=len(votes), names=tuple(ordered[:NAMES_SHOWN]))


def import_archive(format_name: str, path: Path, results: Path) -> ImportDocument:
    """Read an archive and keep its runs.

    Raises:
        UnknownPlugin: there is no such format.
        FormatError: it is not read, or nothing at the path could be read.
        OSError: the records could not be written.
    """
    plugin = cast("Format", find("formats", format_name).value)
    if plugin.read is None:
        raise FormatError(f"format {format_name} is only written: joulemark export {format_name}")
    runs, findings = plugin.read(path)
    if not runs:
        reasons = "; ".join(finding.message for finding in findings[:REASONS_SHOWN])
        more = len(findings) - REASONS_SHOWN
        raise FormatError(
            f"{path}: nothing could be read, so nothing was written: {reasons}"
            + (f"; and {more} more" if more > 0 else "")
        )
    file = archive_file(results, format_name, path)
    write_runs(file, runs)
    findings = [*findings, *(finding for run in runs for finding in run.findings)]
    return ImportDocument(
        source_format=format_name,
        path=str(path),
        results=str(results),
        file=str(file),
        runs_count=len(runs),
        counts=tuple(
            _count_names(what, [getattr(run, what) for run in runs])
            for what in ("workload", "submission", "machine", "status")
        ),
        runs=tuple(
            ImportedItem(**{name: getattr(run, name) for name in ImportedItem.model_fields})
            for run in runs
        ),
        findings=tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level))),
        rulesets=rulesets_for(format_name),
    )
