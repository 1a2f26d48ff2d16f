"""Walks folders without following links, and reads and hashes plain files only."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple

FILES_MAX = 100_000
"""Entries below one bundle beyond which nobody wants to look further."""

READ_MAX = 256 << 20
"""Bytes of a file that is parsed; larger ones are refused unread."""

HASHED_MAX = 4 << 30
"""Bytes hashed of one bundle, as much as an archive may unpack to: a sparse file costs nobody
anything but the one who reads it."""

EntryKind = Literal["file", "folder", "link", "other"]


class Unreadable(ValueError):
    """A file that cannot be used; the message does not name it."""

    def __init__(self, file: str, text: str) -> None:
        """Keep the file's name beside the message."""
        super().__init__(text)
        self.file = file


class DiskEntry(NamedTuple):
    """One thing below a folder."""

    path: str
    """Relative, with `/` between the parts."""
    kind: EntryKind


def _kind(entry: "os.DirEntry[str]") -> EntryKind:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def walk(root: Path) -> Iterator[DiskEntry]:
    """Everything below a folder, sorted within each folder; links are named, never followed.

    Raises:
        Unreadable: a folder cannot be listed, or there are too many entries.
    """
    pending = [""]
    count = 0
    while pending:
        here = pending.pop()
        for name, kind in _listing(root, here):
            count += 1
            if count > FILES_MAX:
                raise Unreadable(here or ".", f"more than {FILES_MAX} entries below the folder")
            path = f"{here}/{name}" if here else name
            if kind == "folder":
                pending.append(path)
            yield DiskEntry(path, kind)


def _listing(root: Path, here: str) -> list[tuple[str, EntryKind]]:
    try:
        with os.scandir(root / here) as entries:
            return sorted((entry.name, _kind(entry)) for entry in entries)
    except OSError as error:
        raise Unreadable(here or ".", f"cannot be listed: {error.strerror}") from error


def _opened(root: Path, path: str) -> int:
    """Descriptor of a plain file; a pipe does not block, a link is not followed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root / path, flags)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreadable(path, f"cannot be opened: {reason}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(path, "is no plain file")
    return descriptor


def open_plain(root: Path, path: str) -> IO[bytes]:
    """A plain file, open for reading.

    Raises:
        Unreadable: it is missing or odd.
    """
    return os.fdopen(_opened(root, path), "rb")


def read(root: Path, path: str, size_max: int = READ_MAX) -> bytes:
    """All bytes of a plain file.

    Raises:
        Unreadable: it is missing, odd or too large.
    """
    with open_plain(root, path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > size_max:
            raise Unreadable(path, f"{size_bytes} bytes is too large to be read")
        return file.read(size_max + 1)


class Fingerprint(NamedTuple):
    """A file's fingerprint."""

    size_bytes: int
    sha256: str


def fingerprint(root: Path, path: str, size_max: int = HASHED_MAX) -> Fingerprint:
    """Size and SHA-256 of a plain file.

    Raises:
        Unreadable: it is missing, odd or too large.
    """
    with os.fdopen(_opened(root, path), "rb", buffering=0) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > size_max:
            raise Unreadable(path, f"{size_bytes} bytes are more than a bundle can have")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Fingerprint(file.tell(), digest)


def exists(root: Path, path: str) -> bool:
    """Whether anything has that name, a dangling link included."""
    return os.path.lexists(root / path)
