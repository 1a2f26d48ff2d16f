"""Submissions: what a folder may hold, and a digest of names and contents alone."""

import os
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.registry import UnknownPlugin
from harness.run.freeze import freeze
from harness.run.submission import (
    FILES_MAX,
    IGNORED,
    SubmissionError,
    check_division,
    check_fits,
    open_submission,
    read_source,
)

TOML = 'title = "T"\nteam = "t"\nworkloads = ["digits-mlp"]\n'
BIG = 1 << 20


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "submission.toml").write_text(TOML)
    (folder / "train.py").write_text("def train(session): ...\n")
    return folder


def frozen(folder: Path, target: Path, size_max: int = BIG):
    return freeze(open_submission(str(folder)), target, size_max).submission


# --- opening -------------------------------------------------------------------------------------


def test_a_folder_is_opened_by_path(entry: Path) -> None:
    source = open_submission(str(entry))
    assert (source.name, source.folder) == ("entry", entry)
    assert source.file.division == "closed"
    assert source.file.threads is None


def test_a_listed_name_is_detected_and_a_near_one_suggested() -> None:
    assert open_submission("digits-mlp-sgd").file.workloads == ("digits-mlp",)
    with pytest.raises(UnknownPlugin, match=r"did you mean .*digits-mlp-sgd"):
        open_submission("digits-mlp-sdg")


def test_a_path_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no such folder"):
        open_submission(str(tmp_path / "absent"))
    with pytest.raises(SubmissionError, match="no such folder"):
        open_submission("train.py")


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "-dash",
        ".hidden",
        "ümlaut",
        "semi;colon",
        "new\nline",
        "<b>",
        "x" * 65,
        "a\x1b",
    ],
)
def test_hostile_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "submission.toml").write_text(TOML)
    with pytest.raises(SubmissionError, match="the folder's name") as caught:
        open_submission(str(folder))
    assert str(caught.value).isprintable()


def test_missing_toml_says_what_to_write(entry: Path) -> None:
    (entry / "submission.toml").unlink()
    with pytest.raises(SubmissionError, match=r"submission\.toml: missing; write title"):
        open_submission(str(entry))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(TOML + "colour = 1\n", "colour: Extra inputs", id="unknown-key"),
        pytest.param(TOML + "[tuning]\nspice = {}\n", "spice", id="unknown-inner-key"),
        pytest.param('title = "T"\n', "team: Field required", id="missing-key"),
        pytest.param(TOML + 'division = "free"\n', "division", id="unknown-division"),
        pytest.param(TOML.replace('["digits-mlp"]', '"all"'), "workloads", id="text-for-list"),
        pytest.param(TOML + "threads = 0\n", "threads", id="no-threads"),
        pytest.param(TOML + "threads = -4\n", "threads", id="negative-threads"),
        pytest.param(TOML + "threads = 1000000\n", "threads", id="many-threads"),
        pytest.param(TOML + "threads = 2.0\n", "threads", id="broken-threads"),
        pytest.param("title = \n", "TOML", id="no-toml"),
        pytest.param(TOML + "title = 'again'\n", "TOML", id="twice"),
        pytest.param(TOML + "hyperparameters = { lr = nan }\n", "finite", id="nan"),
        pytest.param(TOML + "hyperparameters = { lr = inf }\n", "finite", id="infinity"),
        pytest.param(TOML + "hyperparameters = { d = 2020-01-01 }\n", "date", id="date"),
        pytest.param(TOML + "a = " + "[" * 5000, "TOML", id="deep"),
    ],
)
def test_bad_toml_names_the_file_and_the_fault(text: str, said: str, entry: Path) -> None:
    (entry / "submission.toml").write_text(text)
    with pytest.raises(SubmissionError, match=said) as caught:
        open_submission(str(entry))
    assert str(entry / "submission.toml") in str(caught.value)


def test_toml_in_another_encoding_is_reported(entry: Path) -> None:
    (entry / "submission.toml").write_bytes(TOML.encode("utf-16"))
    with pytest.raises(SubmissionError, match="TOML"):
        open_submission(str(entry))


def test_toml_that_is_a_folder_is_reported(entry: Path) -> None:
    (entry / "submission.toml").unlink()
    (entry / "submission.toml").mkdir()
    with pytest.raises(SubmissionError, match="cannot be read"):
        open_submission(str(entry))


# --- fitting -------------------------------------------------------------------------------------


def test_only_named_workloads_fit(entry: Path) -> None:
    source = open_submission(str(entry))
    check_fits(source, "digits-mlp")
    with pytest.raises(SubmissionError, match="names digits-mlp, not 'markov-lm'"):
        check_fits(source, "markov-lm")
    (entry / "submission.toml").write_text(TOML.replace("digits-mlp", "*"))
    check_fits(open_submission(str(entry)), "markov-lm")
    (entry / "submission.toml").write_text(TOML.replace('"digits-mlp"', ""))
    with pytest.raises(SubmissionError, match="names none"):
        check_fits(open_submission(str(entry)), "markov-lm")


def test_something_to_run_is_needed(entry: Path) -> None:
    (entry / "train.py").unlink()
    with pytest.raises(SubmissionError, match=r"neither train\.py nor a command"):
        check_fits(open_submission(str(entry)), "digits-mlp")
    (entry / "submission.toml").write_text(TOML + 'command = ["./run"]\n')
    check_fits(open_submission(str(entry)), "digits-mlp")


def test_division_must_be_one_of_the_workloads(entry: Path) -> None:
    source = open_submission(str(entry))
    check_division(source, ("closed", "hardware"), "moons-flow")
    (entry / "submission.toml").write_text(TOML + 'division = "open"\n')
    opened = open_submission(str(entry))
    assert opened.file.division == "open"
    with pytest.raises(
        SubmissionError, match="moons-flow has no open division; name one of closed"
    ):
        check_division(opened, ("closed", "hardware"), "moons-flow")


# --- freezing ------------------------------------------------------------------------------------


def _link_out(folder: Path) -> None:
    (folder / "data").symlink_to("/etc/passwd")


def _link_in(folder: Path) -> None:
    (folder / "again.py").symlink_to("train.py")


def _dangling(folder: Path) -> None:
    (folder / "gone").symlink_to("nowhere")


def _linked_folder(folder: Path) -> None:
    (folder / "lib").symlink_to("/usr")


def _loop(folder: Path) -> None:
    (folder / "loop").symlink_to(".")


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "sock"))


def _below(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "link").symlink_to("/etc/shadow")


ODD: dict[str, Callable[[Path], object]] = {
    "link-out": _link_out,
    "link-in": _link_in,
    "dangling": _dangling,
    "linked-folder": _linked_folder,
    "loop": _loop,
    "socket": _socket,
    "fifo": lambda folder: os.mkfifo(folder / "fifo"),
    "below": _below,
    "not-utf-8": lambda folder: (folder / os.fsdecode(b"\xff\xfe.py")).write_text(""),
    "newline": lambda folder: (folder / "a\nb.py").write_text(""),
    "escape": lambda folder: (folder / "\x1b[2J.py").write_text(""),
    "right-to-left": lambda folder: (folder / "\u202eyp.py").write_text(""),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ODD)
def test_odd_file_is_refused(kind: str, entry: Path, tmp_path: Path) -> None:
    ODD[kind](entry)
    with pytest.raises(SubmissionError, match=r"neither a plain file|unprintable") as caught:
        frozen(entry, tmp_path / "copy")
    assert str(caught.value).isprintable()


def test_size_limit_is_inclusive_and_sparse_files_count_whole(entry: Path, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in entry.iterdir())
    assert frozen(entry, tmp_path / "fits", size).size_bytes == size
    with pytest.raises(SubmissionError, match=f"{size - 1} bytes are allowed"):
        frozen(entry, tmp_path / "over", size - 1)
    with (entry / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SubmissionError, match="only source belongs"):
        frozen(entry, tmp_path / "sparse")


def test_number_of_files_is_limited(entry: Path, tmp_path: Path) -> None:
    for number in range(FILES_MAX - 2):
        (entry / f"f{number}").touch()
    assert frozen(entry, tmp_path / "fits").files_count == FILES_MAX
    (entry / "one-more").touch()
    with pytest.raises(SubmissionError, match=f"{FILES_MAX} files"):
        frozen(entry, tmp_path / "over")


def test_copy_is_of_contents_with_plain_permissions(entry: Path, tmp_path: Path) -> None:
    (entry / "run").write_text("#!/bin/sh\n")
    (entry / "run").chmod(0o4777)
    (entry / "train.py").chmod(0o600)
    (entry / "sub" / "deep").mkdir(parents=True)
    (entry / "sub" / "deep" / "x.txt").write_text("x")
    copy = tmp_path / "copy"
    record = frozen(entry, copy)
    assert (copy / "run").stat().st_mode & 0o7777 == 0o755
    assert (copy / "train.py").stat().st_mode & 0o7777 == 0o644
    assert (copy / "sub" / "deep" / "x.txt").read_text() == "x"
    assert record.files_count == 4
    (entry / "train.py").write_text("changed later")
    assert "changed" not in (copy / "train.py").read_text()


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_ignored_names_are_in_neither_copy_nor_digest(
    name: str, entry: Path, tmp_path: Path
) -> None:
    plain = frozen(entry, tmp_path / "plain")
    (entry / name).mkdir()
    (entry / name / "secret.py").write_text("x = 1")
    assert frozen(entry, tmp_path / "folder").sha256 == plain.sha256
    assert not (tmp_path / "folder" / name).exists()
    (entry / name / "secret.py").unlink()
    (entry / name).rmdir()
    (entry / name).write_text("a file of that name, readable at run time, would be in no digest")
    assert frozen(entry, tmp_path / "file").sha256 == plain.sha256
    assert not (tmp_path / "file" / name).exists()


names = st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.py", fullmatch=True)
trees = st.dictionaries(names, st.binary(max_size=20), max_size=6)


def write(folder: Path, files: dict[str, bytes], seed: int) -> None:
    order = sorted(files)
    random.Random(seed).shuffle(order)
    for name in order:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
        os.utime(path, ns=(seed * 10**9, seed * 10**9))


@given(trees, trees, st.integers(0, 10**6))
def test_digest_depends_on_names_and_contents_alone(
    tmp_path_factory: pytest.TempPathFactory, one: dict, other: dict, seed: int
) -> None:
    base = tmp_path_factory.mktemp("case")
    digests = []
    for number, files in enumerate((one, one, other)):
        folder = base / str(number) / "entry"
        folder.mkdir(parents=True)
        write(folder, {**files, "submission.toml": TOML.encode()}, seed + number)
        digests.append(frozen(folder, base / f"copy{number}").sha256)
    assert digests[0] == digests[1]
    assert (digests[0] == digests[2]) == (one == other)


def test_moving_bytes_between_files_changes_the_digest(entry: Path, tmp_path: Path) -> None:
    (entry / "a").write_text("xy")
    (entry / "b").write_text("z")
    one = frozen(entry, tmp_path / "one").sha256
    (entry / "a").write_text("x")
    (entry / "b").write_text("yz")
    assert frozen(entry, tmp_path / "two").sha256 != one


def test_record_says_what_was_declared(entry: Path, tmp_path: Path) -> None:
    text = TOML + 'division = "open"\nmethods = ["muon"]\ncommand = ["./run"]\n'
    (entry / "submission.toml").write_text(text)
    record = frozen(entry, tmp_path / "copy")
    assert (record.title, record.team, record.division) == ("T", "t", "open")
    assert (record.entry, record.methods) == ("command", ("muon",))


# --- a folder that changes while it is read -------------------------------------------------------


def test_a_file_that_becomes_a_link_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's folder is read by root: between the look and the open the file is replaced."""
    secret = tmp_path / "secret"
    secret.write_text("root's alone")
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "train.py").write_text("x = 1\n")
    real = os.open

    def replaced(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == "train.py":
            (folder / "train.py").unlink()
            (folder / "train.py").symlink_to(secret)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", replaced)
    with pytest.raises(SubmissionError, match="symbolic links"):
        read_source(folder, 1000)


def test_a_folder_that_becomes_a_link_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("root's alone")
    folder = tmp_path / "entry"
    (folder / "parts").mkdir(parents=True)
    (folder / "train.py").write_text("x = 1\n")
    real = os.open

    def replaced(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == "train.py":
            (folder / "parts").rmdir()
            (folder / "parts").symlink_to(outside)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", replaced)
    assert set(read_source(folder, 1000)) == {"train.py"}


def test_a_file_that_grows_is_read_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(b"x" * 1001)
    with pytest.raises(SubmissionError, match="1000 bytes"):
        read_source(tmp_path, 1000)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SubmissionError, match="neither a plain file"):
        read_source(tmp_path, 10_000)
