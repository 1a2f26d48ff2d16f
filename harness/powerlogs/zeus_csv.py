"""Zeus's window log: `start_time,window_name,elapsed_time,gpu0_energy,...`, one row a window.

Only GPUs are in the file: the joules of a window include neither processor nor memory.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.formats.format import make_finding
from harness.formats.text import Text, number
from harness.powerlogs.log import energies, file_format, table_rows

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EXPECTED = "a log_file of zeus's ZeusMonitor (CSV), or a folder of such"
NEEDED = ("start_time", "window_name", "elapsed_time")
GPU = re.compile(r"gpu(\d+)_energy")


def _run(text: Text, folder: str, line: int, row: dict[str, str]) -> "ImportedRun | Finding":
    from harness.formats.files import recording

    elapsed_s = number(row["elapsed_time"])
    gpus = {
        f"gpu-{gpu[1]}": number(cell) for name, cell in row.items() if (gpu := GPU.fullmatch(name))
    }
    if elapsed_s is None or None in gpus.values():
        message = f"{text.path}, line {line}: left out: a time or an energy is no number"
        return make_finding("zeus-row", message)
    return recording(
        text,
        folder,
        "zeus-csv",
        **energies(gpus),
        workload=row["window_name"] or text.path.stem,
        run=f"{text.path.stem}:{line - 1}",
        time_s=elapsed_s,
        energy_kind="counter" if gpus else None,
        facts={"start_s": number(row["start_time"]), "scope": "gpu"},
    )


def _read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
    from harness.records import Finding

    for row in table_rows(text, NEEDED, "zeus-row"):
        yield row if isinstance(row, Finding) else _run(text, folder, *row)


FORMAT = file_format("zeus-csv", "zeus's log of windows", ("*.csv",), EXPECTED, _read_file)
