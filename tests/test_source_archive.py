"""The archive of a submission's source: the same bytes for the same files, read without trust."""

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import source_archive
from harness.run.submission import read_source
from harness.source_archive import (
    SourceArchiveError,
    SourceFile,
    compressed_bytes,
    pack_source,
    unpack_source,
    write_source,
)

FILES = {
    "train.py": SourceFile(b"def train(session): ...\n"),
    "sub/run": SourceFile(b"#!/bin/sh\n", executable=True),
    "empty": SourceFile(b""),
}
names = st.from_regex(r"[a-zß]{1,4}(/[A-Z .]{1,3}x){0,2}", fullmatch=True)


def tarred(*members: Any) -> bytes:
    """An archive of (name, kind or contents, changes of the header)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, change in members:
            member = tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else b""
            member.size = len(data)
            member.type = tarfile.REGTYPE if isinstance(content, bytes) else content.encode()
            for key, value in change.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


@given(st.dictionaries(names, st.builds(SourceFile, st.binary(max_size=30), st.booleans())))
def test_what_is_packed_is_unpacked(files: dict[str, SourceFile]) -> None:
    assert unpack_source(pack_source(files)) == files


def test_bytes_depend_on_names_contents_and_permission_alone(tmp_path: Path) -> None:
    packed = pack_source(FILES)
    assert packed == pack_source(dict(reversed(FILES.items())))
    assert packed != pack_source({**FILES, "empty": SourceFile(b"", executable=True)})
    write_source(FILES, tmp_path / "copy")
    os.utime(tmp_path / "copy" / "train.py", ns=(1, 1))
    again = read_source(tmp_path / "copy", 1 << 20)
    assert pack_source(again) == packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        facts = {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in tar.getmembers()}
    assert facts == {(0, 0, "", "", 0)}


def test_long_and_foreign_names_survive() -> None:
    files = {"ü" * 120 + "/" + "x" * 120: SourceFile(b"1")}
    assert unpack_source(pack_source(files)) == files


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../../up", "", ".", "./a", "a//b", "a\nb", "a\x1b[2J"]
)
def test_names_that_lead_out_or_cannot_be_printed_are_refused(name: str) -> None:
    with pytest.raises(SourceArchiveError):
        unpack_source(tarred((name, b"x", {})))


@pytest.mark.parametrize("kind", ["1", "2", "3", "4", "5", "6"])
def test_only_plain_files_are_read(kind: str) -> None:
    with pytest.raises(SourceArchiveError, match="not a plain file"):
        unpack_source(tarred(("x", kind, {"linkname": "/etc/passwd"})))


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(SourceArchiveError, match="second time"):
        unpack_source(tarred(("x", b"1", {}), ("x", b"2", {})))


def test_sparse_files_are_refused() -> None:
    for sparse_map in ("0,1", "0,x"):
        header = {"pax_headers": {"GNU.sparse.map": sparse_map, "GNU.sparse.size": "1099511627776"}}
        with pytest.raises(SourceArchiveError):
            unpack_source(tarred(("x", b"1", header)))


def test_size_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_archive, "UNPACKED_BYTES_MAX", 20_000)
    with pytest.raises(SourceArchiveError, match="more than 20000 bytes"):
        unpack_source(gzip.compress(b"\0" * 30_000))
    monkeypatch.setattr(source_archive, "FILES_MAX", 1)
    with pytest.raises(SourceArchiveError, match="too many"):
        unpack_source(tarred(("a", b"1", {}), ("b", b"1", {})))


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(b"no tar" * 200), pack_source(FILES)[:-9]],
    ids=["empty", "no-gzip", "no-tar", "cut-off"],
)
def test_damaged_archives_are_refused(data: bytes) -> None:
    with pytest.raises(SourceArchiveError):
        unpack_source(data)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_source(FILES, tmp_path)
    with pytest.raises(FileExistsError):
        write_source({"train.py": SourceFile(b"")}, tmp_path)
    assert os.access(tmp_path / "sub" / "run", os.X_OK)


def test_stored_values_count_however_they_are_spelt() -> None:
    """Digits, letters and bytes that hold the same random numbers need the same size."""
    values = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    letters = "".join(chr(97 + byte % 16) + chr(97 + byte // 16) for byte in values).encode()
    hexes = values.hex().encode()
    sizes = [compressed_bytes({"a": SourceFile(data)}) for data in (values, letters, hexes)]
    assert all(0.98 * len(values) < size < 1.2 * len(values) for size in sizes)
    code = Path(__file__).read_bytes()
    assert compressed_bytes({"a": SourceFile(code * 50)}) < len(code)
