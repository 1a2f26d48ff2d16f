"""Writes files completely or not at all, and computes digests, with the standard library only."""

import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


def write_all(descriptor: int, data: "Buffer") -> None:
    """Write all bytes; `os.write` may write fewer without an error, as on a full disk.

    Raises:
        OSError: some bytes could not be written.
    """
    view = memoryview(data).cast("B")
    while view:
        written = os.write(descriptor, view)
        if written <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]


def append_whole(descriptor: int, data: bytes, size_bytes: int) -> None:
    """Append to a file of the given size; if the write fails, the file keeps that size.

    Raises:
        OSError: the data could not be written completely.
    """
    try:
        write_all(descriptor, data)
    except OSError:
        os.ftruncate(descriptor, size_bytes)
        raise


def write_file(path: Path, data: bytes) -> None:
    """Write a file completely or not at all: to a temporary file, which is synced and renamed.

    Raises:
        OSError: the file could not be written; an existing file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except BaseException:
        # A bundle lists every file in its folder, so an incomplete one must not stay.
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create a folder and those above it, and sync their entries.

    Raises:
        OSError: the folder exists already, or cannot be created.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)


def sync_tree(folder: Path) -> None:
    """Sync everything below a folder; the programs that wrote it may not have done so."""
    for root, _, names in os.walk(folder):
        for name in names:
            _sync(Path(root) / name, 0)
        sync_folder(Path(root))


def sync_folder(folder: Path) -> None:
    """Sync the entries of a folder."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_tree(root: Path, pattern: str = "*") -> str:
    """SHA-256 over names, sizes and contents of the files below a folder, sorted by path."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob(pattern) if path.is_file()):
        if "__pycache__" in path.parts:
            continue
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{path.stat().st_size}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()
