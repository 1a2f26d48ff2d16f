"""The submission's source in a bundle: an archive, or in older bundles a folder."""

import hashlib
import io
import tarfile
from pathlib import PurePosixPath
from typing import NamedTuple

from harness.verify.disk import Unreadable, read
from harness.verify.reader import SUBMISSION, BundleReader
from harness.verify.strict import unpacked

ARCHIVE = "submission.tar.gz"


class SourceDigest(NamedTuple):
    """What identifies the source of a submission."""

    sha256: str
    """Over `name NUL size NUL sha256 LF` of each file, in the order of the names' parts."""
    files_count: int
    size_bytes: int


def _archived(data: bytes) -> dict[str, tuple[int, str]]:
    """Name to size and SHA-256 of each file of an archive.

    Raises:
        Unreadable: it is damaged, or contains anything but plain files with plain names.
    """
    plain = b"".join(unpacked(data, ARCHIVE))
    files: dict[str, tuple[int, str]] = {}
    faults: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for member in tar:
                name, parts = member.name, PurePosixPath(member.name).parts
                if not parts or "/".join(parts) != name or ".." in parts or name[0] == "/":
                    faults.append(f"{name!a} is not a plain relative name")
                elif member.type != tarfile.REGTYPE or member.issparse() or name in files:
                    faults.append(f"{name!a} is not a plain file, or is there twice")
                else:
                    content = tar.extractfile(member)
                    contents = b"" if content is None else content.read()
                    files[name] = len(contents), hashlib.sha256(contents).hexdigest()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Unreadable(ARCHIVE, f"damaged: {error}") from error
    if faults:
        raise Unreadable(ARCHIVE, faults[0])
    return files


def source_digest(bundle: BundleReader) -> SourceDigest:
    """Digest, number and size of the source files.

    Raises:
        Unreadable: they cannot be read, or the source is there in both forms.
    """
    folder = bundle.files_in(SUBMISSION)
    if bundle.has(ARCHIVE):
        if folder:
            raise Unreadable(ARCHIVE, f"the source is there twice, also in {SUBMISSION}/")
        files = _archived(read(bundle.folder, ARCHIVE))
    else:
        prints = {path.removeprefix(f"{SUBMISSION}/"): bundle.fingerprint(path) for path in folder}
        files = {name: (mark.size_bytes, mark.sha256) for name, mark in prints.items()}
    names = [name for name in files if "__pycache__" not in name.split("/")]
    digest = hashlib.sha256()
    for name in sorted(names, key=lambda name: name.split("/")):
        digest.update(f"{name}\0{files[name][0]}\0{files[name][1]}\n".encode())
    return SourceDigest(digest.hexdigest(), len(names), sum(files[name][0] for name in names))
