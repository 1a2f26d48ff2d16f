"""Unpacks untrusted archives: only plain files and folders with plain names are accepted."""

import gzip
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from harness.verify.disk import Unreadable, is_plain_name, open_plain, walk
from harness.verify.report import BadArchive

ENTRIES_MAX = 20_000
UNPACKED_MAX = 4 << 30
RATIO_MAX = 200
"""Largest ratio of unpacked to packed size; for readings it is about ten, for weights about one."""

SMALL_BYTES = 1 << 20
"""Up to this size the ratio is not checked."""

CHUNK_BYTES = 1 << 20
HEADER_MAX = 1 << 22
"""Most bytes that `tarfile` may read at once."""

READS_MAX = 1_000_000
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")


class ArchiveItem(NamedTuple):
    """One file or folder of an archive, not unpacked yet."""

    name: str
    folder: bool
    size_bytes: int
    """The declared size."""
    content: IO[bytes] | None


class _Guarded:
    """A file for `tarfile` that limits how much a header can make it read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        """Read some bytes, with a limit on size and number of reads."""
        self._reads += 1
        if not 0 <= size <= HEADER_MAX or self._reads > READS_MAX:
            raise tarfile.ReadError("a header asks for too much")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset, which may not be negative."""
        if offset < 0:
            raise tarfile.ReadError("a header points before the file")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._file.tell()


def _tar_items(file: IO[bytes]) -> Iterator[ArchiveItem]:
    guarded: Any = _Guarded(file)
    with tarfile.open(fileobj=guarded, mode="r:") as tar:
        while (member := tar.next()) is not None:
            if not (member.isreg() or member.isdir()):
                raise BadArchive(f"{member.name!a}: neither a plain file nor a folder")
            content = tar.extractfile(member) if member.isreg() else None
            yield ArchiveItem(member.name, member.isdir(), member.size, content)
            # Otherwise it keeps every member in memory.
            tar.members = []  # type: ignore[attr-defined]


def _zip_items(file: IO[bytes]) -> Iterator[ArchiveItem]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 1:
                raise BadArchive(f"{info.filename!a}: a link, a special file, or encrypted")
            content = None if info.is_dir() else archive.open(info)
            yield ArchiveItem(info.orig_filename, info.is_dir(), info.file_size, content)


class _Unpacker:
    """Writes items below a folder, and limits their total size and number."""

    def __init__(self, target: Path, packed_bytes: int) -> None:
        self._target = target
        self._limit = min(UNPACKED_MAX, max(SMALL_BYTES, RATIO_MAX * packed_bytes))
        self._bytes = 0
        self._names: dict[str, str] = {}

    def write(self, item: ArchiveItem) -> None:
        """Write one item.

        Raises:
            BadArchive: its name or size, or the number of items, breaks a rule.
        """
        path = self._path_of(item)
        if item.size_bytes < 0 or self._bytes + item.size_bytes > self._limit:
            raise self._too_large()
        if item.content is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            while piece := item.content.read(CHUNK_BYTES):
                self._bytes += len(piece)
                if self._bytes > self._limit:
                    raise self._too_large()
                file.write(piece)

    def _too_large(self) -> BadArchive:
        return BadArchive(f"unpacks to more than {self._limit} bytes: a bomb")

    def _path_of(self, item: ArchiveItem) -> Path:
        name = item.name.removeprefix("./")
        if item.folder:
            name = name.rstrip("/")
            if name in ("", "."):
                return self._target
        if not is_plain_name(name):
            raise BadArchive(f"{item.name!a}: not a plain relative name")
        self._register(name.split("/"), folder=item.folder)
        return self._target / name

    def _register(self, parts: list[str], *, folder: bool) -> None:
        """Refuse repeated names; some disks ignore case and the form of accents."""
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            key = unicodedata.normalize("NFC", name).casefold()
            is_folder = depth < len(parts) or folder
            known = self._names.get(key)
            # A folder may be listed again under the same name, a file may not.
            if known is not None and not (is_folder and known == f"{name}/"):
                raise BadArchive(f"{name!a}: the name is listed twice")
            self._names[key] = f"{name}/" if is_folder else name
        if len(self._names) > ENTRIES_MAX:
            raise BadArchive(f"more than {ENTRIES_MAX} entries")


def _folder_items(folder: Path) -> Iterator[ArchiveItem]:
    """The files and folders below a folder as items; links are not followed."""
    for entry in walk(folder):
        if entry.kind not in ("file", "folder"):
            raise BadArchive(f"{entry.path!a}: neither a plain file nor a folder")
        if entry.kind == "folder":
            yield ArchiveItem(entry.path, folder=True, size_bytes=0, content=None)
            continue
        with open_plain(folder, entry.path) as file:
            yield ArchiveItem(entry.path, False, os.fstat(file.fileno()).st_size, file)  # noqa: FBT003 - the fields of a tuple


def _plain_tar(archive: Path, scratch: Path) -> Path:
    """Unpack a gzip file to a scratch file, within the limits."""
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
    """Whether a file has the suffix of an archive."""
    return path.name.endswith(SUFFIXES)


def stem(path: Path) -> str:
    """The name of an archive without its suffix."""
    suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    return path.name.removesuffix(suffix) or "archive"


def copy_folder(folder: Path, target: Path) -> None:
    """Copy an untrusted folder into an empty one, by the rules for archives.

    Raises:
        BadArchive: the folder breaks a rule, or cannot be read.
    """
    unpacker = _Unpacker(target, UNPACKED_MAX)
    try:
        for item in _folder_items(folder):
            unpacker.write(item)
    except (BadArchive, Unreadable, OSError) as error:
        raise BadArchive(f"{folder}: {error}") from error


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive into an empty folder.

    Allowed are plain files and folders with plain relative names, no name twice (ignoring case),
    and at most as many bytes and entries as a bundle can have, by declared and by real size.

    Raises:
        BadArchive: the archive breaks a rule or is damaged; the caller removes what was written
            to `target`.
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
                unpacker.write(item)
    except BadArchive as error:
        raise BadArchive(f"{archive}: {error}") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,  # and its subclass NotImplementedError
    ) as error:
        raise BadArchive(f"{archive}: damaged, or not such an archive: {error}") from error
