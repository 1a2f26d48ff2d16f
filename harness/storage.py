"""Bytes on disk: writes that are whole or fail, and digests; the standard library suffices."""

import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


def write_all(descriptor: int, data: "Buffer") -> None:
    """Write every byte: `os.write` may write fewer without an error (a full disk does).

    Raises:
        OSError: the rest could not be written.
    """
    view = memoryview(data).cast("B")
    while view:
        written = os.write(descriptor, view)
        if written <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]


def append_whole(descriptor: int, data: bytes, size_bytes: int) -> None:
    """Append to a file of the given size; a failed write leaves nothing of itself behind.

    Raises:
        OSError: the data could not be written whole.
    """
    try:
        write_all(descriptor, data)
    except OSError:
        os.ftruncate(descriptor, size_bytes)
        raise


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, synced, then renamed over.

    Raises:
        OSError: it could not be written; what was there before is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except BaseException:
        # A bundle lists every file that lies in it, so a torn one must not stay.
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that is not there yet, and those above it, each durable where it lies.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    missing = [item for item in (path, *path.parents) if not item.exists()]
    path.mkdir(parents=True)
    for item in reversed(missing):
        sync_folder(item.parent)


def sync_tree(folder: Path) -> None:
    """Make everything below a folder durable: what programs copied there never synced itself."""
    for root, _, names in os.walk(folder):
        for name in names:
            _sync(Path(root) / name, 0)
        sync_folder(Path(root))


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_tree(root: Path, pattern: str = "*") -> str:
    """SHA-256 over names, sizes and contents of the files below a folder, in sorted order."""
    digest = hashlib.sha256()
    for path in sorted(item for item in root.rglob(pattern) if item.is_file()):
        if "__pycache__" in path.parts:
            continue
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{path.stat().st_size}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()
