"""Imported records read back: damage is told by file and line, copies count once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.formats.store import read_runs
from harness.records import ImportedRun


def made(run: str = "1", **fields: Any) -> ImportedRun:
    named = {"workload": "w", "submission": "s", "machine": "m", "status": "ok", "sha256": ""}
    return ImportedRun(source_format="algoperf", source="a", run=run, **(named | fields))


def keep(folder: Path, name: str, *lines: ImportedRun | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    texts = [x if isinstance(x, bytes) else x.model_dump_json().encode() for x in lines]
    file = folder / name
    file.write_bytes(b"".join(text + b"\n" for text in texts))
    return file


@pytest.mark.parametrize("below", ["imported/algoperf", "algoperf"])
def test_records_are_read_from_the_results_or_the_folder_above(tmp_path: Path, below: str) -> None:
    keep(tmp_path / below, "a.jsonl", made())
    assert [read_run.run for read_run in read_runs(tmp_path, "algoperf")[0]] == ["1"]
    assert read_runs(tmp_path, "mlperf_training") == ([], [])


def test_lines_of_another_folder_are_no_records_of_this_format(tmp_path: Path) -> None:
    keep(tmp_path / "ledger", "ledger.jsonl", made())
    assert read_runs(tmp_path / "ledger", "algoperf") == ([], [])
    keep(tmp_path / "algoperf", "a.jsonl", made())
    assert len(read_runs(tmp_path / "algoperf", "algoperf")[0]) == 1


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"run": "1"}', b'{"format": 1, "time_s": NaN}'],
)
def test_a_damaged_line_is_named_and_loses_no_other(tmp_path: Path, line: bytes) -> None:
    file = keep(tmp_path / "algoperf", "a.jsonl", made("1"), line, made("3"))
    runs, (finding,) = read_runs(tmp_path, "algoperf")
    assert [run.run for run in runs] == ["1", "3"]
    assert (finding.rule, finding.level) == ("imported-damaged", "fail")
    assert finding.message.startswith(f"{file}, line 2: no imported record: ")


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"fast"', "[1]"])
def test_seconds_that_are_no_number_are_refused(tmp_path: Path, value: str) -> None:
    text = made(time_s=1.5).model_dump_json().replace("1.5", value)
    keep(tmp_path / "algoperf", "a.jsonl", text.encode())
    runs, findings = read_runs(tmp_path, "algoperf")
    assert runs == []
    assert [finding.rule for finding in findings] == ["imported-damaged"]


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(1, 60))
def test_a_file_that_was_cut_keeps_its_whole_lines(tmp_path: Path, cut: int) -> None:
    file = keep(tmp_path / "algoperf", "a.jsonl", made("1"), made("2"))
    file.write_bytes(file.read_bytes()[: -1 - cut])
    runs, findings = read_runs(tmp_path, "algoperf")
    assert [run.run for run in runs] == ["1"]
    assert [", line 2: " in finding.message for finding in findings] == [True]


def test_a_folder_under_the_name_of_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "algoperf" / "a.jsonl").mkdir(parents=True)
    runs, (finding,) = read_runs(tmp_path, "algoperf")
    assert runs == []
    assert "a.jsonl: cannot be read: " in finding.message


def test_a_copy_counts_once_and_the_first_file_by_name_wins(tmp_path: Path) -> None:
    keep(tmp_path / "algoperf", "b.jsonl", made(time_s=2.0), made("2"))
    keep(tmp_path / "algoperf", "a.jsonl", made(time_s=1.0))
    runs, (finding,) = read_runs(tmp_path, "algoperf")
    assert [(run.run, run.time_s) for run in runs] == [("1", 1.0), ("2", None)]
    assert finding.message == "1 records of algoperf were imported twice and count once"


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.permutations(["1", "2", "3", "4"]), st.integers(0, 4))
def test_the_split_and_order_of_files_do_not_matter(
    tmp_path: Path, order: list[str], cut: int
) -> None:
    keep(tmp_path / "algoperf", "a.jsonl", *(made(item) for item in order[:cut]))
    keep(tmp_path / "algoperf", "b.jsonl", *(made(item) for item in order[cut:]))
    runs, findings = read_runs(tmp_path, "algoperf")
    assert [run.run for run in runs] == ["1", "2", "3", "4"]
    assert findings == []
