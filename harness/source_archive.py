"""The archive of a submission's source: `submission.tar.gz`, one file in each bundle."""

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

UNPACKED_BYTES_MAX = 256 << 20
FILES_MAX = 10_000


class SourceArchiveError(ValueError):
    """An archive that is damaged or holds more than plain files with plain names."""


class SourceFile(NamedTuple):
    """One file of a submission."""

    data: bytes
    executable: bool = False


def pack_source(files: Mapping[str, SourceFile]) -> bytes:
    """Pack files into a compressed tar file; equal files give equal bytes.

    Names are sorted, and the archive holds no owner and no time.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name].data)
            member.mode = 0o755 if files[name].executable else 0o644
            tar.addfile(member, io.BytesIO(files[name].data))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def compressed_bytes(files: Mapping[str, SourceFile]) -> int:
    """Size of all contents after xz: a measure of what they contain, however it is written."""
    contents = b"".join(file.data for _, file in sorted(files.items()))
    # xz needs ten times the dictionary in memory, and source needs no larger one than itself.
    size = min(max(len(contents), 1 << 12), 1 << 22)
    method = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    return len(lzma.compress(contents, filters=[method]))


def unpack_source(data: bytes) -> dict[str, SourceFile]:
    """Read an archive in memory, without trust in its contents.

    Raises:
        SourceArchiveError: it is damaged, too large, or contains a link, a folder, an absolute
            name, a name with `..`, or a name twice.
    """
    try:
        members = list(_members(data))
    except SourceArchiveError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise SourceArchiveError(f"damaged: {error}") from error
    files: dict[str, SourceFile] = {}
    for member, contents in members:
        check_name(member.name)
        if member.type != tarfile.REGTYPE or member.issparse():
            raise SourceArchiveError(f"{member.name!a}: not a plain file")
        if member.name in files or len(files) >= FILES_MAX:
            raise SourceArchiveError(f"{member.name!a}: a second time, or too many files")
        files[member.name] = SourceFile(contents, bool(member.mode & 0o100))
    return files


def _members(data: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        plain = packed.read(UNPACKED_BYTES_MAX + 1)
    if len(plain) > UNPACKED_BYTES_MAX:
        raise SourceArchiveError(f"unpacks to more than {UNPACKED_BYTES_MAX} bytes")
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
        for member in tar:
            is_plain = member.type == tarfile.REGTYPE and not member.issparse()
            content = tar.extractfile(member) if is_plain else None
            yield member, b"" if content is None else content.read()


def check_name(name: str) -> None:
    """Refuse a name that could lead out of the folder to which the file is written.

    Raises:
        SourceArchiveError: it is not a plain relative name.
    """
    parts = PurePosixPath(name).parts
    if not parts or "/".join(parts) != name or ".." in parts or not name.isprintable():
        raise SourceArchiveError(f"{name!a}: not a plain relative name")


def write_source(files: Mapping[str, SourceFile], folder: Path) -> None:
    """Write the files below a folder that does not exist yet, or is empty.

    Raises:
        OSError: a file exists already or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            target.write(file.data)
        path.chmod(0o755 if file.executable else 0o644)
