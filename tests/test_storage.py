"""Writes are whole or fail: under every failing call, short write and torn write."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.storage import (
    append_whole,
    make_folder,
    sha256_file,
    sha256_tree,
    sync_tree,
    write_all,
    write_file,
)
from tests.lab.faulty import count_calls, failing

OLD, NEW = b"old contents", b"new contents, somewhat longer"


@given(st.binary(max_size=5000))
@settings(max_examples=20)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("files") / "below" / "file"
    write_file(path, data)
    assert path.read_bytes() == data
    assert sha256_file(path) == hashlib.sha256(data).hexdigest()


def calls_of_a_write(folder: Path) -> int:
    return len(count_calls(lambda: write_file(folder / "probe", NEW)))


@pytest.mark.parametrize("kind", ["error", "torn"])
def test_a_file_is_old_or_new_whatever_call_fails(tmp_path: Path, kind: str) -> None:
    for at in range(calls_of_a_write(tmp_path)):
        path = tmp_path / f"{kind} {at}" / "file"
        write_file(path, OLD)
        with failing(at, kind) as plan, pytest.raises(OSError, match="No space"):
            write_file(path, NEW)
        assert len(plan.calls) > at
        assert path.read_bytes() in (OLD, NEW)
        assert [item.name for item in path.parent.iterdir()] == ["file"], "no torn neighbour stays"
        write_file(path, NEW)
        assert path.read_bytes() == NEW


def test_the_data_are_synced_before_the_name_is_there(tmp_path: Path) -> None:
    calls = count_calls(lambda: write_file(tmp_path / "file", NEW))
    assert calls == ["open", "write", "fsync", "replace", "open", "fsync"]


def test_short_writes_are_carried_on(tmp_path: Path) -> None:
    with failing(1, "short") as plan:
        write_file(tmp_path / "file", NEW)
    assert plan.calls.count("write") == 2
    assert (tmp_path / "file").read_bytes() == NEW


def test_a_write_of_nothing_is_an_error_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(OSError, match="No space"):
        write_all(1, b"x")


def test_a_failed_append_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        with failing(0, "torn"), pytest.raises(OSError, match="No space"):
            append_whole(descriptor, b"second\n", 6)
        assert path.read_bytes() == b"first\n"
        append_whole(descriptor, b"third\n", 6)
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"first\nthird\n"


def test_the_digest_of_a_tree_sees_names_and_contents(tmp_path: Path) -> None:
    def digest(files: dict[str, bytes]) -> str:
        root = tmp_path / hashlib.sha256(repr(files).encode()).hexdigest()
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        return sha256_tree(root)

    base = {"a": b"1", "b/c": b"2"}
    others = [{"a": b"2", "b/c": b"1"}, {"a": b"1", "b/d": b"2"}, {"a": b"1"}, {"a": b"12"}]
    digests = {digest(item) for item in [base, *others]}
    assert len(digests) == 5
    assert digest(base | {"__pycache__/a.pyc": b"junk"}) == digest(base)


def synced(patch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is synced from now on, in order."""
    real, names = os.fsync, []

    def noted(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    patch.setattr(os, "fsync", noted)
    return names


def test_a_new_folder_is_durable_in_the_one_that_holds_it(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a").mkdir()
    names = synced(monkeypatch)
    make_folder(tmp_path / "a" / "b" / "c")
    assert names == ["a", "b"], "outermost first, and none that was there before"
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a" / "b" / "c")


def test_every_file_and_folder_of_a_tree_is_synced(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "t" / "below").mkdir(parents=True)
    (tmp_path / "t" / "one").write_text("1")
    (tmp_path / "t" / "below" / "two").write_text("2")
    names = synced(monkeypatch)
    sync_tree(tmp_path / "t")
    assert sorted(names) == ["below", "one", "t", "two"]
