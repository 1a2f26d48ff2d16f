"""Folders of recordings: every file counts, none loses the others, no order of them matters."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, FormatError
from harness.formats.text import Text, TextError
from harness.records import Finding, ImportedRun

WATTS = st.floats(0, 1e5)
POINTS = st.lists(st.tuples(st.floats(0, 1e5), WATTS), min_size=2, max_size=20)
TEXT = Text(Path("in/power.csv"), [], "aa", whole=True)


def read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    """A format of the test: the first line names what the file does."""
    match text.lines[:1]:
        case ["broken"]:
            raise TextError(f"{text.path}, line 1: no recording")
    for line in text.lines:
        yield recording(text, folder, "made", run=line)


def read(path: Path) -> Archive:
    return read_files(path, ("*.log", "*.txt", "a.*"), "a folder of logs", read_file)


def keep(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_file_that_two_patterns_match_is_read_once(tmp_path: Path) -> None:
    keep(tmp_path, "one/a.log", "x\n")
    keep(tmp_path, "one/two/b.txt", "y\n")
    keep(tmp_path, "one/c.csv", "z\n")
    (tmp_path / "d.log").mkdir()
    result = [(run.submission, run.workload, run.run) for run in read(tmp_path).runs]
    assert result == [("one", "a", "x"), ("two", "b", "y")]


def test_a_single_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    keep(tmp_path, "power.dat", "x\n")
    (run,) = read(tmp_path / "power.dat").runs
    assert (run.source, run.machine, run.time_s) == ("power.dat", "unknown", None)
    assert run.energy_by_method_j == {}


@pytest.mark.parametrize(("bad", "why"), [("broken", ", line 1: no recor")])
def test_a_bad_file_does_not_lose_the_others(tmp_path: Path, bad: str, why: str) -> None:
    for name, text in (("a.log", "x\n"), ("b.log", bad), ("c.log", "y\n")):
        keep(tmp_path, name, text)
    archive = read(tmp_path)
    assert [run.run for run in archive.runs] == ["x", "y"]
    (finding,) = archive.findings
    assert finding.level == "fail"
    assert str(tmp_path / "b.log") in finding.message
    assert why in finding.message


def test_recordings_of_one_name_are_numbered(tmp_path: Path) -> None:
    keep(tmp_path, "a.log", "x\nx\ny\nx\n")
    keep(tmp_path, "a.txt", "x\n")
    archive = read(tmp_path)
    assert [run.run for run in archive.runs] == ["x", "x (2)", "x (3)", "x (4)", "y"]
    assert archive.runs[3].source == "a.txt"


def test_what_holds_nothing_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="nothing to import; expected a folder of logs"):
        read(tmp_path)
    with pytest.raises(FormatError, match="no such file or folder; expected a folder of logs"):
        read(tmp_path / "none")


@given(st.sampled_from([math.nan, math.inf]))
def test_a_recording_takes_no_seconds_that_are_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="time_s"):
        recording(TEXT, "in", "made", time_s=value)
