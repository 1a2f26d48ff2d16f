"""CodeCarbon's table: columns by name and in any order, running totals, bad rows by line."""

from pathlib import Path

import pytest

from harness.formats.format import FormatError
from harness.powerlogs.codecarbon_csv import FORMAT
from harness.records import ImportedRun
from tests.powerlogs.importing import import_log

ROW = {
    "timestamp": "2026-01-01T00:00:00", "project_name": "mnist", "run_id": "r1", "duration": "10.0",
    "emissions": "0.001", "cpu_energy": "1e-5", "gpu_energy": "2e-5", "ram_energy": "1e-6",
    "energy_consumed": "3.1e-5", "cpu_model": "EPYC, 64 cores", "gpu_model": "1 x A100",
    "codecarbon_version": "3.3.0", "pue": "1.0",
}  # fmt: skip


def table(*rows: dict[str, str], names: list[str] | None = None, delimiter: str = ",") -> str:
    names = names or list(ROW)
    quoted = [[f'"{row[n]}"' if "," in row[n] else row[n] for n in names] for row in rows]
    return "\n".join([delimiter.join(names), *map(delimiter.join, quoted)]) + "\n"


def runs(path: Path, text: str) -> list[ImportedRun]:
    file = path / "lab" / "emissions.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, newline="")
    return import_log(FORMAT, file).runs


def test_kilowatt_hours_become_modelled_joules(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, table(ROW))
    assert (run.workload, run.submission, run.run) == ("mnist", "lab", "r1")
    assert run.machine == "EPYC, 64 cores + 1 x A100"
    assert run.time_s == 10.0
    assert run.energy_by_method_j == {"window": pytest.approx(111.6)}
    assert run.energy_by_domain_j == pytest.approx({"cpu": 36.0, "gpu": 72.0, "dram": 3.6})
    assert run.energy_kind == "modelled"
    assert run.facts["emissions_kg"] == 0.001


def test_older_files_with_other_columns(tmp_path: Path) -> None:
    names = ["energy_consumed", "duration", "project_name", "timestamp"]
    (run,) = runs(tmp_path, table(ROW, names=names))
    assert run.energy_by_method_j == {"window": pytest.approx(111.6)}
    assert run.energy_by_domain_j == {}
    assert (run.run, run.machine) == ("line 2", "unknown")


def test_the_last_total_of_a_run_counts(tmp_path: Path) -> None:
    later = ROW | {"duration": "20.0", "energy_consumed": "6e-5"}
    other = ROW | {"run_id": "r2"}
    result = {run.run: run for run in runs(tmp_path, table(ROW, later, other))}
    assert result["r1"].time_s == 20.0
    assert set(result) == {"r1", "r2"}
    findings = import_log(FORMAT, tmp_path / "lab/emissions.csv").findings
    assert findings[0].rule == "codecarbon-total"


def test_tasks_of_a_run_stand_for_themselves(tmp_path: Path) -> None:
    tasks = [ROW | {"task_name": name, "duration": f"{i}.0"} for i, name in enumerate("ab", 1)]
    result = runs(tmp_path, table(*tasks, names=["task_name", *ROW]))
    assert [(run.run, run.time_s) for run in result] == [("r1/a", 1.0), ("r1/b", 2.0)]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_marks_and_semicolons(tmp_path: Path, end: str) -> None:
    text = "\ufeff" + table(ROW | {"cpu_model": "EPYC"}, delimiter=";").replace(".", ",")
    (run,) = runs(tmp_path, text.replace("\n", end))
    assert run.energy_by_method_j == {"window": pytest.approx(111.6)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column duration, energy_consumed"),
        ("a,b\n1,2\n", "line 1: no column duration, energy_consumed"),
        (table(ROW | {"energy_consumed": "much"}), "line 2: left out: no number"),
        (table(ROW | {"energy_consumed": "-1"}), "line 2: left out: no number"),
        (table(ROW)[:-9], "line 2: left out: 12 fields, 13 named"),
        ("\x00" * 99, "emissions.csv"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert runs(tmp_path, text) == []
    assert said in import_log(FORMAT, tmp_path / "lab").findings[0].message


def test_a_bad_row_does_not_lose_the_others(tmp_path: Path) -> None:
    text = table(ROW | {"duration": ""}, ROW)
    assert [run.run for run in runs(tmp_path, text)] == ["r1"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected an emissions"):
        import_log(FORMAT, tmp_path / "nowhere")
    with pytest.raises(FormatError, match="nothing to import"):
        import_log(FORMAT, tmp_path)
