"""Tables as CSV and JSON: unrounded, missing as missing, nothing that a spreadsheet would run."""

import csv
import io
import json
from pathlib import Path

from harness.formats._tables import flat
from harness.formats.csv import write as write_csv
from harness.formats.format import ExportRequest
from harness.formats.json import write as write_json
from tests.formats.made_results import five_runs, one_failed, request_for, runs_of


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_every_table_is_there_and_exact(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    files = write_csv(request_for(results)).files
    assert set(files) == {"scores.csv", "runs.csv", "leaderboard.csv", "findings.csv"}
    times = [float(row["time_s"]) for row in rows(files["runs.csv"])]
    assert times == [run["time_s"] for run in runs_of(results)]
    (score,) = rows(files["scores.csv"])
    assert float(score["energy_to_target_j.low"]) < float(score["energy_to_target_j.value"])
    assert {row["prize"] for row in rows(files["leaderboard.csv"])} >= {"energy", "speed"}


def test_what_is_missing_is_empty_and_null(tmp_path: Path) -> None:
    request = request_for(one_failed(tmp_path))
    (row,) = rows(write_csv(request).files["runs.csv"])
    assert (row["time_s"], row["energy.energy_j"]) == ("", "")
    (tree,) = json.loads(write_json(request).files["runs.json"])
    assert (tree["time_s"], tree["energy.energy_j"]) == (None, None)


def test_names_are_no_formulas(tmp_path: Path) -> None:
    score = {"entry": {"workload": "=1+1", "submission": "@x", "machine": "-m"}, "n": -1}
    document = {"scores": [score], "leaderboard": [], "findings": []}
    data = write_csv(ExportRequest(results=tmp_path, scores=lambda: document)).files["scores.csv"]
    (row,) = rows(data)
    assert row == {"workload": "'=1+1", "submission": "'@x", "machine": "'-m", "n": "-1"}


def test_nested_values_become_columns() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": [1, 2]}) == {"a.b.c": 1, "d": "1 2"}


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    request = request_for(five_runs(tmp_path))
    assert write_json(request).files == write_json(request).files
