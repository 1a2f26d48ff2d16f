"""Imported runs on disk: what is written is what is read, in any order, damaged lines named."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.formats.store import archive_file, read_runs, write_runs
from harness.records import Curve, ImportedRun

# JSON has no lone surrogates; every other character has to come back.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
REALS = st.floats(allow_nan=False, allow_infinity=False)


def made(**fields: Any) -> ImportedRun:
    named = {"workload": "w", "submission": "s", "machine": "m", "run": "1", "status": "ok"}
    return ImportedRun(source_format="zeus_csv", source="a.csv", sha256="", **(named | fields))


RUNS = st.builds(
    made,
    workload=NAMES,
    submission=NAMES,
    machine=NAMES,
    run=NAMES,
    reason=NAMES,
    time_s=st.none() | REALS,
    energy_by_method_j=st.dictionaries(NAMES, REALS, max_size=2),
    facts=st.dictionaries(NAMES, st.none() | st.booleans() | st.integers() | NAMES, max_size=3),
    curve=st.none()
    | st.builds(lambda t: Curve(time_s=(t, t), metric={"x": (None, t)}, steps_count=()), REALS),
)


def key(run: ImportedRun) -> tuple[str, ...]:
    return (run.submission, run.machine, run.workload, run.run)


@settings(max_examples=40)
@given(st.lists(RUNS, max_size=5, unique_by=key))
def test_runs_come_back_as_they_were(runs: list[ImportedRun]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        write_runs(archive_file(results, "zeus_csv", results / "in"), runs)
        result, findings = read_runs(results, "zeus_csv")
    assert findings == []
    assert result == sorted(runs, key=key)


@given(NAMES.filter(lambda name: name not in ("", ".", "..") and not set(name) & {"/", "\0"}))
def test_the_file_of_an_archive_is_a_tame_name_below_the_results(name: str) -> None:
    file = archive_file(Path("results"), "csv", Path("in") / name)
    assert file.parent == Path("results/imported/csv")
    assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert len(file.name) <= 80


def test_archives_of_one_name_in_two_places_are_two_files(tmp_path: Path) -> None:
    one, two = (archive_file(tmp_path, "csv", tmp_path / item / "logs") for item in "ab")
    assert one != two
    assert archive_file(tmp_path, "csv", tmp_path / "b" / ".." / "a" / "logs") == one


def test_a_second_import_replaces_the_first(tmp_path: Path) -> None:
    file = archive_file(tmp_path, "zeus_csv", tmp_path / "logs")
    write_runs(file, [made(run="1"), made(run="2")])
    write_runs(file, [made(run="3")])
    assert [read_run.run for read_run in read_runs(tmp_path, "zeus_csv")[0]] == ["3"]


def test_an_archive_without_runs_is_an_empty_file(tmp_path: Path) -> None:
    file = archive_file(tmp_path, "zeus_csv", tmp_path / "logs")
    write_runs(file, [])
    assert file.read_bytes() == b""
    assert read_runs(tmp_path, "zeus_csv") == ([], [])


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    file = archive_file(tmp_path, "zeus_csv", tmp_path / "logs")
    file.mkdir(parents=True)
    with pytest.raises(OSError, match=r"."):
        write_runs(file, [made()])
