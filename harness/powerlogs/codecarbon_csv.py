"""CodeCarbon's `emissions.csv`: a row a run, kilowatt-hours, columns by name.

Of rows that share a `run_id` the last one counts, since each is a running total; where the file
names tasks, each task of a run stands for itself. CPU and RAM
figures are models unless a sensor was there, and no column says which: joules are `modelled`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, delimiter_of, number
from harness.records import Finding, ImportedRun

EXPECTED = "an emissions.csv of CodeCarbon, or a folder of such"
JOULES_PER_KWH = 3.6e6
PARTS = {"cpu_energy": "cpu", "gpu_energy": "gpu", "ram_energy": "dram"}
TOLD = ("timestamp", "codecarbon_version", "country_iso_code", "tracking_mode", "python_version")
FIGURES = {"emissions": "emissions_kg", "pue": "pue_ratio"}


def _rows(text: Text) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and fields by line.

    Raises:
        TextError: the header is not CodeCarbon's.
    """
    delimiter = delimiter_of(text.lines[0]) if text.lines else ","
    rows = [(n, row) for n, row in enumerate(csv.reader(text.lines, delimiter=delimiter), 1) if row]
    names = [name.strip() for name in rows[0][1]] if rows else []
    if "energy_consumed" not in names or "duration" not in names:
        raise TextError(f"{text.path}, line 1: no columns duration and energy_consumed")
    return names, rows[1:]


def _machine(row: dict[str, str]) -> str:
    cpu, gpu = row.get("cpu_model", "").strip(), row.get("gpu_model", "").strip()
    return " + ".join(item for item in (cpu, gpu) if item) or "unknown"


def _joules(row: dict[str, str], column: str) -> float | None:
    value = number(row.get(column, ""))
    return None if value is None or value < 0 else value * JOULES_PER_KWH


def _run(text: Text, folder: str, line: int, row: dict[str, str]) -> ImportedRun | Finding:
    duration_s = number(row["duration"])
    joules = _joules(row, "energy_consumed")
    if duration_s is None or joules is None:
        message = f"{text.path}, line {line}: left out: no number in duration or energy_consumed"
        return complaint("codecarbon-row", message)
    parts = {name: _joules(row, column) for column, name in PARTS.items()}
    figures = {name: number(row.get(column, "")) for column, name in FIGURES.items()}
    return recording(
        text,
        folder,
        "codecarbon-csv",
        workload=row.get("project_name") or text.path.stem,
        machine=_machine(row),
        run="/".join(filter(None, (row.get("run_id"), row.get("task_name")))) or f"line {line}",
        time_s=duration_s,
        energy_by_method_j={"window": joules},
        energy_by_domain_j={name: value for name, value in parts.items() if value is not None},
        energy_kind="modelled",
        facts={name: row[name] for name in TOLD if row.get(name)} | figures,
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    names, rows = _rows(text)
    found: dict[str, ImportedRun] = {}
    totals = 0
    for line, fields in rows:
        if len(fields) != len(names):
            message = (
                f"{text.path}, line {line}: left out: {len(fields)} fields, {len(names)} named"
            )
            yield complaint("codecarbon-row", message)
            continue
        run = _run(text, folder, line, dict(zip(names, fields, strict=True)))
        if isinstance(run, Finding):
            yield run
        else:
            totals += run.run in found
            found[run.run] = run
    yield from found.values()
    if totals:
        message = f"{text.path}: {totals} rows are earlier totals of a run that has a later one"
        yield complaint("codecarbon-total", message, "info")


def read(path: Path) -> Archive:
    """Read one file, or every `*.csv` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("*.csv",), EXPECTED, _read_file)


FORMAT = Format(name="codecarbon-csv", title="CodeCarbon's emissions.csv", read=read)
