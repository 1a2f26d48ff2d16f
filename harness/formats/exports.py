"""What `joulemark export` does and says: asks a format for its files and writes them."""

from pathlib import Path
from typing import cast

from harness.formats.format import ExportRequest, Format, FormatError
from harness.records import Finding
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
