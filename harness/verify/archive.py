"""Unpacks archives as if an enemy had made them: plain files with plain names, or nothing."""

import gzip
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from harness.verify.disk import Unreadable, open_plain, walk
from harness.verify.report import BadArchive

ENTRIES_MAX = 20_000
UNPACKED_MAX = 4 << 30
RATIO_MAX = 200
"""Times that an archive may grow; readings shrink by ten, weights hardly."""

SMALL_BYTES = 1 << 20
"""Up to this much the ratio does not matter."""

CHUNK_BYTES = 1 << 20
HEADER_MAX = 1 << 22
"""Most bytes that a reader of headers may want at once."""

READS_MAX = 1_000_000
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")


class ArchiveItem(NamedTuple):
    """One file of an archive, still packed."""

    name: str
    folder: bool
    size_bytes: int
    """As declared."""
    content: IO[bytes] | None


class _Guarded:
    """A file for `tarfile`: no header makes it read gigabytes at once or for ever."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if not 0 <= size <= HEADER_MAX or self._reads > READS_MAX:
            raise tarfile.ReadError("a header asks for too much")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        if place < 0:
            raise tarfile.ReadError("a header points before the file")
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _tar_items(file: IO[bytes]) -> Iterator[ArchiveItem]:
    guarded: Any = _Guarded(file)
    with tarfile.open(fileobj=guarded, mode="r:") as tar:
        while (member := tar.next()) is not None:
            if not (member.isreg() or member.isdir()):
                raise BadArchive(f"{member.name!a}: neither a plain file nor a folder")
            content = tar.extractfile(member) if member.isreg() else None
            yield ArchiveItem(member.name, member.isdir(), member.size, content)
            # It keeps each member for ever otherwise.
            tar.members = []  # type: ignore[attr-defined]


def _zip_items(file: IO[bytes]) -> Iterator[ArchiveItem]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 1:
                raise BadArchive(f"{info.filename!a}: a link, an odd file, or encrypted")
            content = None if info.is_dir() else archive.open(info)
            yield ArchiveItem(info.orig_filename, info.is_dir(), info.file_size, content)


class _Unpacker:
    """Writes items below a folder, and counts what they weigh."""

    def __init__(self, target: Path, packed_bytes: int) -> None:
        self._target = target
        self._limit = min(UNPACKED_MAX, max(SMALL_BYTES, RATIO_MAX * packed_bytes))
        self._bytes = 0
        self._names: dict[str, str] = {}

    def take(self, item: ArchiveItem) -> None:
        """Write one item.

        Raises:
            BadArchive: its name, its size or their number is against the rules.
        """
        path = self._place(item)
        if item.size_bytes < 0 or self._bytes + item.size_bytes > self._limit:
            self._too_much()
        if item.content is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            while piece := item.content.read(CHUNK_BYTES):
                self._bytes += len(piece)
                if self._bytes > self._limit:
                    self._too_much()
                file.write(piece)

    def _too_much(self) -> None:
        raise BadArchive(f"unpacks to more than {self._limit} bytes: a bomb")

    def _place(self, item: ArchiveItem) -> Path:
        name = item.name.removeprefix("./")
        if item.folder:
            name = name.rstrip("/")
            if name in ("", "."):
                return self._target
        parts = PurePosixPath(name).parts
        odd = any(
            unicodedata.category(element) in {"Cc", "Cs"} or element == "\\" for element in name
        )
        if not parts or "/".join(parts) != name or ".." in parts or name.startswith("/") or odd:
            raise BadArchive(f"{item.name!a}: no plain relative name")
        self._remember(parts, folder=item.folder)
        return self._target.joinpath(*parts)

    def _remember(self, parts: tuple[str, ...], *, folder: bool) -> None:
        """Names that differ in nothing but case or accents' spelling meet on some disks."""
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            key = unicodedata.normalize("NFC", name).casefold()
            is_folder = depth < len(parts) or folder
            known = self._names.get(key)
            # A folder may be named again as itself, a file never.
            if known is not None and not (is_folder and known == f"{name}/"):
                raise BadArchive(f"{name!a}: the name is there twice")
            self._names[key] = f"{name}/" if is_folder else name
        if len(self._names) > ENTRIES_MAX:
            raise BadArchive(f"more than {ENTRIES_MAX} entries")


def _folder_items(folder: Path) -> Iterator[ArchiveItem]:
    """What lies below a folder, as if it had been packed; links are never followed."""
    for entry in walk(folder):
        if entry.kind not in ("file", "folder"):
            raise BadArchive(f"{entry.path!a}: neither a plain file nor a folder")
        if entry.kind == "folder":
            yield ArchiveItem(entry.path, folder=True, size_bytes=0, content=None)
            continue
        with open_plain(folder, entry.path) as file:
            yield ArchiveItem(entry.path, False, os.fstat(file.fileno()).st_size, file)  # noqa: FBT003


def _plain_tar(archive: Path, scratch: Path) -> Path:
    """The tar file behind gzip, unpacked to a scratch file within the limits."""
    packed_bytes = archive.stat().st_size
    limit = min(UNPACKED_MAX, max(SMALL_BYTES, RATIO_MAX * packed_bytes)) + CHUNK_BYTES
    total = 0
    with gzip.open(archive) as source, scratch.open("wb") as target:
        while piece := source.read(CHUNK_BYTES):
            total += len(piece)
            if total > limit:
                raise BadArchive(f"unpacks to more than {limit} bytes: a bomb")
            target.write(piece)
    return scratch


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive."""
    return path.name.endswith(SUFFIXES)


def stem(path: Path) -> str:
    """An archive's name without its suffix."""
    suffix = next(item for item in SUFFIXES if path.name.endswith(item))
    return path.name.removesuffix(suffix) or "archive"


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a stranger's folder below a fresh one, by the rules for archives.

    Raises:
        BadArchive: it breaks one of them, or cannot be read.
    """
    unpacker = _Unpacker(target, UNPACKED_MAX)
    try:
        for item in _folder_items(folder):
            unpacker.take(item)
    except (BadArchive, Unreadable, OSError) as error:
        raise BadArchive(f"{folder}: {error}") from error


def unpack(archive: Path, target: Path) -> None:
    """Unpack below a fresh folder.

    Only plain files and folders, relative plain names, no name twice (compared without case), and
    no more bytes or entries than a bundle can have, declared or real.

    Raises:
        BadArchive: it breaks one of these rules, or is damaged; what was written until then stays
            in `target`, for the caller to remove.
    """
    unpacker = _Unpacker(target, archive.stat().st_size)
    try:
        if archive.name.endswith(".zip"):
            path, items = archive, _zip_items
        else:
            packed = archive.name.endswith(("gz",))
            path = _plain_tar(archive, target.with_name("scratch.tar")) if packed else archive
            items = _tar_items
        with path.open("rb") as file:
            for item in items(file):
                unpacker.take(item)
    except BadArchive as error:
        raise BadArchive(f"{archive}: {error}") from error
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError,
        NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise BadArchive(f"{archive}: damaged or no such archive: {error}") from error
