"""Zeus's windows: joules of each GPU, and windows that cannot be read."""

from pathlib import Path

import pytest

from harness.powerlogs.zeus_csv import FORMAT
from tests.powerlogs.importing import import_log

HEADER = "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n"


def written(path: Path, text: str) -> Path:
    file = path / "zeus.csv"
    file.write_text(text, newline="")
    return file


def test_windows_are_runs(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER + "1700.5,epoch,10.0,2000,3000.5\n1710.5,epoch,11.0,2100,3100\n"
    )
    first, second = import_log(FORMAT, path).runs
    assert (first.workload, first.time_s) == ("epoch", 10.0)
    assert first.energy_by_domain_j == {"gpu-0": 2000.0, "gpu-1": 3000.5}
    assert first.energy_by_method_j == {"window": 5000.5}
    assert (first.energy_kind, first.facts["scope"]) == ("counter", "gpu")
    assert first.run != second.run


def test_a_file_without_gpus_has_no_joules_and_no_zero(tmp_path: Path) -> None:
    (run,) = import_log(
        FORMAT, written(tmp_path, "start_time,window_name,elapsed_time\n1,step,2\n")
    ).runs
    assert (run.energy_by_method_j, run.energy_kind) == ({}, None)


@pytest.mark.parametrize(
    ("row", "said"),
    [("1,epoch,10.0,2000", "4 fields, 5 named"), ("1,e,2,x,3", "no num"), ("1,e,,2,3", "no num")],
)
def test_a_bad_row_is_named_and_loses_only_itself(tmp_path: Path, row: str, said: str) -> None:
    archive = import_log(FORMAT, written(tmp_path, f"\ufeff{HEADER}{row}\r\n1,ok,2,3,4\r\n"))
    assert [run.workload for run in archive.runs] == ["ok"]
    assert "line 2" in archive.findings[0].message
    assert said in archive.findings[0].message


@pytest.mark.parametrize("text", ["", "a,b\n", "window_name,elapsed_time\n"])
def test_another_table_is_refused_by_its_header(tmp_path: Path, text: str) -> None:
    archive = import_log(FORMAT, written(tmp_path, text))
    assert archive.runs == []
    assert "line 1: no column start_time" in archive.findings[0].message
