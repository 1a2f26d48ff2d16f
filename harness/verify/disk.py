"""Walks folders without following links; reads and hashes only plain files."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

FILES_MAX = 100_000
"""Most entries below one folder; with more the walk stops."""

READ_MAX = 256 << 20
"""Largest file that is parsed."""

HASHED_MAX = 4 << 30
"""Most bytes that are hashed of one bundle, the same as an archive may unpack to. A sparse file is
small on disk, but reading it takes time."""

EntryKind = Literal["file", "folder", "link", "other"]


class Unreadable(ValueError):
    """A file that cannot be used; the message does not contain its name."""

    def __init__(self, file: str, text: str) -> None:
        """Store the name of the file besides the message."""
        super().__init__(text)
        self.file = file


class DiskEntry(NamedTuple):
    """A file, folder or other entry below a folder."""

    path: str
    """Relative path, with `/` between the parts."""
    kind: EntryKind


def _kind(entry: "os.DirEntry[str]") -> EntryKind:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def walk(root: Path) -> Iterator[DiskEntry]:
    """All entries below a folder, sorted within each folder; links are listed and not followed.

    Raises:
        Unreadable: a folder cannot be listed, or there are too many entries.
    """
    pending = [""]
    count = 0
    while pending:
        folder = pending.pop()
        for name, kind in _list_folder(root, folder):
            count += 1
            if count > FILES_MAX:
                raise Unreadable(folder or ".", f"more than {FILES_MAX} entries below the folder")
            path = f"{folder}/{name}" if folder else name
            if kind == "folder":
                pending.append(path)
            yield DiskEntry(path, kind)


def _list_folder(root: Path, folder: str) -> list[tuple[str, EntryKind]]:
    try:
        with os.scandir(root / folder) as entries:
            return sorted((entry.name, _kind(entry)) for entry in entries)
    except OSError as error:
        raise Unreadable(folder or ".", f"cannot be listed: {error.strerror}") from error


def open_plain(root: Path, path: str) -> BufferedReader:
    """Open a plain file for reading; links are not followed, and a pipe does not block.

    Raises:
        Unreadable: the file is missing, or not a plain file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root / path, flags)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreadable(path, f"cannot be opened: {reason}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(path, "is not a plain file")
    return os.fdopen(descriptor, "rb")


def read(root: Path, path: str, size_max: int = READ_MAX) -> bytes:
    """Read a plain file.

    Raises:
        Unreadable: the file is missing, not a plain file, or too large.
    """
    with open_plain(root, path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > size_max:
            raise Unreadable(path, f"{size_bytes} bytes are too many to read")
        return file.read(size_max + 1)


class Fingerprint(NamedTuple):
    """Size and SHA-256 of a file."""

    size_bytes: int
    sha256: str


def fingerprint(root: Path, path: str, size_max: int = HASHED_MAX) -> Fingerprint:
    """Compute size and SHA-256 of a plain file.

    Raises:
        Unreadable: the file is missing, not a plain file, or too large.
    """
    with open_plain(root, path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > size_max:
            raise Unreadable(path, f"{size_bytes} bytes are more than a bundle can have")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Fingerprint(file.tell(), digest)


def is_plain_name(path: str) -> bool:
    """Whether a path is relative, inside its folder, and without control characters."""
    parts = PurePosixPath(path).parts
    is_relative = bool(parts) and "/".join(parts) == path and ".." not in parts and path[0] != "/"
    odd = {"Cc", "Cs"}
    return is_relative and not any(c == "\\" or unicodedata.category(c) in odd for c in path)


def exists(root: Path, path: str) -> bool:
    """Whether an entry of that name exists; a link without a target counts."""
    return os.path.lexists(root / path)
