"""Zeus's window log: `start_time,window_name,elapsed_time,gpu0_energy,...`, a row a closed window.

Only GPUs are in the file: a window's joules leave processor and memory out, and are no total.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, delimiter_of, number
from harness.records import Finding, ImportedRun

EXPECTED = "a log_file of zeus's ZeusMonitor (CSV), or a folder of such"
NEEDED = ("start_time", "window_name", "elapsed_time")
GPU = re.compile(r"gpu(\d+)_energy")


def _header(text: Text, names: list[str]) -> dict[str, str]:
    """Columns of joules and the domain of each.

    Raises:
        TextError: the header is not zeus's.
    """
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise TextError(f"{text.path}, line 1: no column {', '.join(lacking)}")
    return {name: f"gpu-{found[1]}" for name in names if (found := GPU.fullmatch(name))}


def _run(
    text: Text, folder: str, line: int, row: dict[str, str], gpus: dict[str, str]
) -> ImportedRun | Finding:
    elapsed_s = number(row["elapsed_time"])
    joules = {domain: number(row[name]) for name, domain in gpus.items()}
    known = {domain: value for domain, value in joules.items() if value is not None}
    if elapsed_s is None or len(known) < len(joules):
        message = f"{text.path}, line {line}: left out: a time or an energy is no number"
        return complaint("zeus-row", message)
    return recording(
        text,
        folder,
        "zeus-csv",
        workload=row["window_name"] or text.path.stem,
        run=f"{text.path.stem}:{line - 1}",
        time_s=elapsed_s,
        energy_by_method_j={"window": sum(known.values())} if known else {},
        energy_by_domain_j=known,
        energy_kind="counter" if known else None,
        facts={"start_s": number(row["start_time"]), "scope": "gpu"},
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    delimiter = delimiter_of(text.lines[0]) if text.lines else ","
    rows = list(csv.reader(text.lines, delimiter=delimiter))
    names = [name.strip() for name in rows[0]] if rows else []
    gpus = _header(text, names)
    for line, fields in enumerate(rows[1:], 2):
        if len(fields) == len(names):
            yield _run(text, folder, line, dict(zip(names, fields, strict=True)), gpus)
        elif fields:
            message = (
                f"{text.path}, line {line}: left out: {len(fields)} fields, {len(names)} named"
            )
            yield complaint("zeus-row", message)


def read(path: Path) -> Archive:
    """Read one file, or every `*.csv` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("*.csv",), EXPECTED, _read_file)


FORMAT = Format(name="zeus-csv", title="zeus's log of windows", read=read)
