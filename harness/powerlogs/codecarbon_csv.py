"""CodeCarbon's `emissions.csv`: one row for each run, in kilowatt-hours, with columns by name.

Of rows that share a `run_id` the last one counts, since each is a running total; where the file
names tasks, each task of a run is a run of its own. Figures of CPU and RAM are models unless there
was a sensor, and no column says which: joules are `modelled`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.formats.format import make_finding
from harness.formats.text import Text, number
from harness.powerlogs.log import energies, file_format, table_rows

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EXPECTED = "an emissions.csv of CodeCarbon, or a folder of such"
JOULES_PER_KWH = 3.6e6
PARTS = {"cpu_energy": "cpu", "gpu_energy": "gpu", "ram_energy": "dram"}
TEXTS = ("timestamp", "codecarbon_version", "country_iso_code", "tracking_mode", "python_version")
FIGURES = {"emissions": "emissions_kg", "pue": "pue_ratio"}


def _joules(row: dict[str, str], column: str) -> float | None:
    value = number(row.get(column, ""))
    return None if value is None or value < 0 else value * JOULES_PER_KWH


def _run(text: Text, folder: str, line: int, row: dict[str, str]) -> "ImportedRun | Finding":
    from harness.formats.files import recording

    duration_s = number(row["duration"])
    joules = _joules(row, "energy_consumed")
    if duration_s is None or joules is None:
        message = f"{text.path}, line {line}: left out: no number in duration or energy_consumed"
        return make_finding("codecarbon-row", message)
    models = (row.get("cpu_model", ""), row.get("gpu_model", ""))
    figures = {name: number(row.get(column, "")) for column, name in FIGURES.items()}
    parts = energies({domain: _joules(row, column) for column, domain in PARTS.items()})
    return recording(
        text,
        folder,
        "codecarbon-csv",
        workload=row.get("project_name") or text.path.stem,
        machine=" + ".join(filter(None, models)) or "unknown",
        run="/".join(filter(None, (row.get("run_id"), row.get("task_name")))) or f"line {line}",
        time_s=duration_s,
        **(parts | {"energy_by_method_j": {"window": joules}}),
        energy_kind="modelled",
        facts={name: row[name] for name in TEXTS if row.get(name)} | figures,
    )


def _read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
    from harness.records import Finding

    runs: dict[str, ImportedRun] = {}
    earlier = 0
    for row in table_rows(text, ("duration", "energy_consumed"), "codecarbon-row"):
        run = row if isinstance(row, Finding) else _run(text, folder, *row)
        if isinstance(run, Finding):
            yield run
        else:
            earlier += run.run in runs
            runs[run.run] = run
    yield from runs.values()
    if earlier:
        message = f"{text.path}: {earlier} rows are earlier totals of a run that has a later one"
        yield make_finding("codecarbon-total", message, "info")


FORMAT = file_format(
    "codecarbon-csv", "CodeCarbon's emissions.csv", ("*.csv",), EXPECTED, _read_file
)
