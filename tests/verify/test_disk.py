"""Walking and hashing: everything is seen, nothing is followed, nothing blocks."""

import hashlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import storage
from harness.verify import disk
from harness.verify.disk import Unreadable, fingerprint, read, walk
from harness.verify.seals import own_digest


def test_every_kind_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").touch()
    os.mkfifo(tmp_path / "p")
    (tmp_path / "l").symlink_to("a")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        kinds = {entry.path: entry.kind for entry in walk(tmp_path)}
    assert kinds == {"a": "folder", "a/f": "file", "p": "other", "l": "link", "s": "other"}


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(".")
    assert [entry.path for entry in walk(tmp_path)] == ["self"]


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FILES_MAX", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(Unreadable, match="more than 3"):
        list(walk(tmp_path))


@given(data=st.binary(max_size=5000))
def test_fingerprints_are_size_and_sha256(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("prints")
    (folder / "f").write_bytes(data)
    assert fingerprint(folder, "f") == (len(data), hashlib.sha256(data).hexdigest())
    assert read(folder, "f") == data


@pytest.mark.parametrize("name", ["gone", "link", "pipe", "folder", "a\0b"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for look in (fingerprint, read):
        with pytest.raises(Unreadable) as caught:
            look(tmp_path, name)
        assert caught.value.file == name


def test_large_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(100))
    with pytest.raises(Unreadable, match="100 bytes"):
        read(tmp_path, "f", size_max=99)


def test_sparse_giants_are_not_hashed(tmp_path: Path) -> None:
    """They cost an attacker nothing, and would keep a checker busy for an hour."""
    giant = tmp_path / "log.txt"
    giant.touch()
    os.truncate(giant, 1 << 42)
    with pytest.raises(Unreadable, match="4398046511104 bytes are more than a bundle can have"):
        fingerprint(tmp_path, "log.txt")


def test_own_digest_is_what_the_writer_states() -> None:
    """Two ways to one figure: the checker's own walk, and the writer's."""
    own_digest.cache_clear()
    assert own_digest() == storage.sha256_tree(Path(disk.__file__).parents[1], "*.py")
