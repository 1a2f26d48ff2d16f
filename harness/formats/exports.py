"""`joulemark export`: asks a format for its files and writes them; runs as exporters see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness.bundle import Bundle
from harness.formats.format import ExportRequest, Format, FormatError
from harness.records import Finding, Snapshot
from harness.records.base import FORMAT, Record
from harness.registry import find
from harness.storage import write_file


class ExportDocument(Record):
    """`joulemark export`."""

    format: int = FORMAT
    target_format: str
    folder: str
    files: tuple[str, ...]
    """Written, relative to `folder`."""
    findings: tuple[Finding, ...]


def _inside(folder: Path, name: str) -> Path:
    """The path of a file that a format wants written.

    Raises:
        FormatError: it would lie outside the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FormatError(f"{name}: would be written outside {folder}")
    return path


def export_results(format_name: str, request: ExportRequest, out: Path) -> ExportDocument:
    """Write results in a format.

    Raises:
        UnknownPlugin: there is no such format.
        FormatError: it is not written, or there is nothing to write.
        OSError: a file could not be written.
    """
    plugin = cast("Format", find("formats", format_name).value)
    if plugin.write is None:
        raise FormatError(f"format {format_name} is only read: joulemark import {format_name} PATH")
    export = plugin.write(request)
    folder = out / format_name
    for name, data in export.files.items():
        write_file(_inside(folder, name), data)
    return ExportDocument(
        target_format=format_name,
        folder=str(folder),
        files=tuple(export.files),
        findings=tuple(export.findings),
    )


class RunToWrite(NamedTuple):
    """One run with its score, from the document of `joulemark score`."""

    bundle: Bundle
    score: dict[str, Any]
    """A row of `scores[].runs`."""
    entry: dict[str, Any]
    """`entry` of the score that it belongs to, and `metric_name`."""

    @property
    def start_ns(self) -> int:
        """The start signal, in nanoseconds after the run's origin."""
        return self.bundle.run.window.gun_ns or 0

    def evaluations(self) -> Iterator[tuple[int, Snapshot, float]]:
        """Nanoseconds after the start signal, snapshot and metric of each evaluated snapshot."""
        evaluation = self.bundle.evaluation
        snapshots = {snapshot.index: snapshot for snapshot in self.bundle.run.snapshots}
        for row in evaluation.values if evaluation else ():
            snapshot = snapshots.get(row.snapshot)
            if snapshot is not None and row.value is not None:
                yield snapshot.stamp_ns - self.start_ns, snapshot, row.value


def runs_to_write(request: ExportRequest) -> list[RunToWrite]:
    """Every run that has a window, in the order of the document.

    Raises:
        FormatError: there is no such run.
    """
    runs = []
    for entry in request.scores().get("scores", ()):
        names = entry["entry"] | {"metric_name": entry["quality"]["name"]}
        for score in entry.get("runs", ()):
            folder = request.results / score["bundle"] if score["bundle"] else request.results
            if (score["time_s"] or score["window_s"]) is not None:
                bundle = Bundle(folder if folder.is_dir() else request.results)
                runs.append(RunToWrite(bundle, score, names))
    if not runs:
        raise FormatError(f"{request.results}: no scored run to write")
    return runs
