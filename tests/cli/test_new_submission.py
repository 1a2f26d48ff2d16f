"""Scaffolds: all of a folder or nothing of it, with a submission.toml that reads back."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.verbs import init as module
from harness.cli.verbs.init import InitDocument, create_submission, submission_toml
from harness.records import dump, load
from harness.registry import UnknownPlugin
from harness.run.submission import SubmissionError, SubmissionFile, open_submission
from tests.run.made import HONEST, Folder


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The tiny workload with a reference that has settings and a folder of its own."""
    folder = Folder(tmp_path / "made")
    more = 'threads = 3\n[hyperparameters]\nlr = 0.5\n"odd key" = "é 🦊 \\"x\\""\nfast = true\n'
    reference = folder.entry(HONEST, name="tiny-adamw", more=more)
    (reference / "parts").mkdir()
    (reference / "parts" / "net.py").write_text("SIZE = 3\n")
    (reference / "__pycache__").mkdir()
    (reference / "__pycache__" / "train.pyc").write_bytes(b"x")
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(folder.plugins))
    return folder


# --- submission.toml ------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_title_reads_back(title: str) -> None:
    fields: dict[str, Any] = {
        "title": title, "division": "open", "workloads": ["a", "b"], "imports": [],
    }  # fmt: skip
    tree = tomllib.loads(submission_toml(fields, {}))
    assert tree["title"] == title
    assert load(SubmissionFile, tree, "file").workloads == ("a", "b")


@pytest.mark.parametrize("key", ["title", "division", "workloads", "imports"])
def test_no_field_of_the_template_can_be_forgotten(key: str) -> None:
    fields: dict[str, Any] = dict.fromkeys(("title", "division", "workloads", "imports"), "x")
    del fields[key]
    with pytest.raises(KeyError, match=key):
        submission_toml(fields, {})


# --- what is written ------------------------------------------------------------------------------


def test_a_closed_one_has_the_settings_and_files_of_the_reference(
    made: Folder, tmp_path: Path
) -> None:
    document = create_submission(tmp_path / "mine", "tiny", "closed")
    reference, mine = (open_submission(name) for name in ("tiny-adamw", str(tmp_path / "mine")))
    assert mine.file.hyperparameters == reference.file.hyperparameters
    assert (mine.file.threads, mine.file.imports) == (3, ("numpy",))
    assert mine.file.title == "mine on Tiny"
    assert document.begun_from == "tiny-adamw"
    assert document.files == ("submission.toml", "train.py", "parts/net.py")
    first, rest = (mine.folder / "train.py").read_text().split("\n", 1)
    assert first.startswith("# A copy of tiny-adamw")
    assert rest == (reference.folder / "train.py").read_text()


def test_an_open_one_begins_from_the_template(made: Folder, tmp_path: Path) -> None:
    document = create_submission(tmp_path / "mine", "tiny", "open")
    source = open_submission(str(tmp_path / "mine"))
    assert (document.begun_from, source.file.division) == ("", "open")
    assert source.file.hyperparameters == {}
    template = (module.TEMPLATES / "open.py.txt").read_text()
    assert (source.folder / "train.py").read_text() == template


@pytest.mark.parametrize("division", ["closed", "open"])
def test_the_document_lists_what_is_there_and_reads_back(
    made: Folder, tmp_path: Path, division: Any
) -> None:
    folder = tmp_path / "mine"
    document = create_submission(folder, "tiny", division)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(document.files) == there
    assert load(InitDocument, dump(document), "file") == document
    assert json.loads(dump(document))["folder"] == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_reference_is_left_as_it_was(made: Folder, tmp_path: Path) -> None:
    place = made.plugins / "submissions" / "tiny-adamw"
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    create_submission(tmp_path / "mine", "tiny", "closed")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["-x", ".hidden", "a b", "é", "x" * 65])
def test_a_name_that_no_submission_can_have_is_refused(
    made: Folder, tmp_path: Path, name: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SubmissionError, match="the folder's name becomes the submission's"):
        create_submission(tmp_path / name, "tiny", "open")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_nothing_is_ever_overwritten(made: Folder, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "mine"
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("kept")
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SubmissionError, match="mine: exists already"):
        create_submission(place, "tiny", "open")
    assert not (tmp_path / "nowhere").exists()
    assert kind != "file" or place.read_text() == "kept"


def test_a_missing_parent_is_not_made(made: Folder, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no such folder; create it first"):
        create_submission(tmp_path / "deep" / "mine", "tiny", "open")
    assert not (tmp_path / "deep").exists()


def test_an_unknown_workload_writes_nothing(made: Folder, tmp_path: Path) -> None:
    with pytest.raises(UnknownPlugin):
        create_submission(tmp_path / "mine", "no-such-workload", "open")
    assert not (tmp_path / "mine").exists()


def test_without_a_reference_the_closed_division_says_what_else_to_do(
    made: Folder, tmp_path: Path
) -> None:
    shutil.rmtree(made.plugins / "submissions" / "tiny-adamw")
    with pytest.raises(SubmissionError, match="use --division open"):
        create_submission(tmp_path / "mine", "tiny", "closed")
    assert create_submission(tmp_path / "mine", "tiny", "open").begun_from == ""


@pytest.mark.parametrize("division", ["closed", "open"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_nothing_behind(
    made: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, division: Any,
    error: BaseException,
) -> None:  # fmt: skip
    def broken(*_: object) -> str:
        raise error

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(module, "submission_toml", broken)
    with pytest.raises(type(error)):
        create_submission(tmp_path / "mine", "tiny", division)
    assert sorted(tmp_path.iterdir()) == before
