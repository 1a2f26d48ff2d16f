"""Where imported runs are kept: one file of JSON lines for each archive."""

import hashlib
import re
from pathlib import Path

from harness.records import ImportedRun
from harness.storage import write_file

FOLDER = "imported"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "archive"


def archive_file(results: Path, format_name: str, path: Path) -> Path:
    """The file of an archive: a second import of the same path replaces the first."""
    place = path.resolve()
    name = f"{_slug(place.name)}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}.jsonl"
    return results / FOLDER / format_name / name


def write_runs(file: Path, runs: list[ImportedRun]) -> None:
    """Write the runs, one a line, whole or not at all.

    Raises:
        OSError: they could not be written.
    """
    lines = [run.model_dump_json(exclude_defaults=True) for run in runs]
    write_file(file, ("\n".join(lines) + "\n").encode() if lines else b"")
