"""submission.toml as an enemy would write it: refused with a sentence, never a hang or a crash."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import RunRules
from harness.run.inspection import inspect
from harness.run.protocol import MESSAGE_BYTES_MAX, encode
from harness.run.source_checks import LOCK, check_lock, is_text
from harness.run.submission import SubmissionError, open_submission
from harness.run.untrusted_files import (
    DECLARED_BYTES_MAX,
    FILE_BYTES_MAX,
    INTEGER_MAX,
    UnusableFile,
    module_fault,
    read_plain,
    read_tree,
)

TOML = 'title = "T"\nteam = "t"\ndivision = "open"\nworkloads = ["digits-mlp"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "submission.toml"
    path.write_text(text)
    return path


def fault(folder: Path, text: str) -> str:
    """What is said of a file."""
    with pytest.raises(UnusableFile) as caught:
        read_tree(written(folder, text))
    return str(caught.value)


# --- what lies there ------------------------------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [pipe, device, folder])
def test_what_is_no_plain_file_is_refused_at_once(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    """A pipe would block for ever, a device would fill the memory."""
    for name in ("submission.toml", LOCK):
        make(tmp_path / name)
    with pytest.raises(SubmissionError, match=r"submission\.toml: .*not a plain file"):
        open_submission(str(tmp_path))
    with pytest.raises(SubmissionError, match=rf"{LOCK}: .*not a plain file"):
        check_lock(tmp_path)


def test_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("submission.toml")
        with pytest.raises(SubmissionError, match="cannot be read"):
            open_submission(str(tmp_path))


def test_a_file_larger_than_any_memory_is_not_read(tmp_path: Path) -> None:
    """A sparse file costs an attacker nothing."""
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    assert not is_text(sparse)
    with pytest.raises(UnusableFile, match="larger than 1000 bytes"):
        read_plain(sparse, 1000)


@pytest.mark.parametrize("name", ["train.py", LOCK, "submission.toml"])
def test_sparse_giants_are_reported_and_not_tried(name: str, tmp_path: Path) -> None:
    written(tmp_path, TOML)
    (tmp_path / "train.py").write_text("def train(session): ...\ndef predictor(w, x): ...\n")
    source = open_submission(str(tmp_path))
    with (tmp_path / name).open("ab") as file:
        file.truncate(1 << 40)
    failed = [item for item in inspect(source, "digits-mlp", RunRules()) if item.verdict == "fail"]
    assert "size" in {item.rule for item in failed}
    assert all(item.message for item in failed)


@given(size=st.integers(0, 40), limit=st.integers(0, 40))
def test_a_limit_is_a_limit(
    size: int, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("plain") / "file"
    path.write_bytes(bytes(size))
    if size <= limit:
        assert read_plain(path, limit) == bytes(size)
    else:
        with pytest.raises(UnusableFile):
            read_plain(path, limit)


# --- what is in it --------------------------------------------------------------------------------


def test_a_flood_of_declarations_is_refused(tmp_path: Path) -> None:
    assert "larger than" in fault(tmp_path, TOML + "#" * FILE_BYTES_MAX)


@pytest.mark.parametrize("number", [INTEGER_MAX + 1, -INTEGER_MAX - 1, 10**30])
@pytest.mark.parametrize(
    "line", ["hyperparameters = { a = %d }", "[tuning.space]\na = [1, %d]", "threads = %d"]
)
def test_integers_that_a_reader_would_round_are_refused(
    number: int, line: str, tmp_path: Path
) -> None:
    """Its own bundle would fail its own check."""
    assert "beyond 2^53" in fault(tmp_path, TOML + line % number)


def test_the_greatest_integer_is_kept(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, TOML + f"hyperparameters = {{ a = {INTEGER_MAX} }}\n"))
    assert tree["hyperparameters"]["a"] == INTEGER_MAX


@pytest.mark.parametrize(
    "line",
    [
        'command = ["a\\u0000b"]',
        'hyperparameters = { a = "\\u0000" }',
        '[hyperparameters]\n"a\\u0000" = 1',
    ],
)
def test_nul_is_refused_wherever_it_stands(line: str, tmp_path: Path) -> None:
    assert "NUL" in fault(tmp_path, TOML + line)


@pytest.mark.parametrize("letter", ["x", "é", "\\u0001"])
def test_what_is_declared_fits_into_one_message(letter: str, tmp_path: Path) -> None:
    """Else the start signal would have nothing to fire: `go` carries all hyperparameters."""
    largest = 0
    for count in (1000, 7000, 20_000, 40_000, 47_000, 60_000):
        path = written(tmp_path, TOML + f'hyperparameters = {{ a = "{letter * count}" }}\n')
        try:
            tree = read_tree(path)
        except UnusableFile:
            continue
        largest = max(largest, count)
        message = encode("go", {"hyperparameters": tree["hyperparameters"]})
        assert len(message) < MESSAGE_BYTES_MAX - 8192
    assert 1000 <= largest < DECLARED_BYTES_MAX


def test_title_is_a_line_and_no_book(tmp_path: Path) -> None:
    written(tmp_path, TOML.replace('"T"', f'"{"T" * 201}"'))
    with pytest.raises(SubmissionError, match="title"):
        open_submission(str(tmp_path))


# --- imports --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [".", "..x", "", "a b", "a;b", "a.", "1a", "a\n", "unittest.__main__", "__main__.x"]
)
def test_names_that_are_no_library_are_refused(name: str, tmp_path: Path) -> None:
    """`unittest.__main__` would read the sandbox's arguments as tests, before the signal."""
    assert module_fault(name)
    written(tmp_path, TOML + f"imports = [{name!r}]\n".replace("'", '"'))
    with pytest.raises(SubmissionError, match="imports"):
        open_submission(str(tmp_path))


@given(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=4))
def test_modules_are_accepted(parts: list[str]) -> None:
    assert bool(module_fault(".".join(parts))) == ("__main__" in parts)
