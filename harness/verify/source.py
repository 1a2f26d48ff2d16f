"""Reads the source of the submission in a bundle: an archive, or in older bundles a folder."""

import hashlib
import io
import tarfile
from typing import NamedTuple

from harness.verify.disk import Fingerprint, Unreadable, is_plain_name, read
from harness.verify.reader import SUBMISSION, BundleReader
from harness.verify.strict import unpacked

ARCHIVE = "submission.tar.gz"


class SourceDigest(NamedTuple):
    """Digest and size of the source of a submission."""

    sha256: str
    """SHA-256 over `name NUL size NUL sha256 LF` of each file, sorted by the parts of names."""
    files_count: int
    size_bytes: int


def _archived(data: bytes) -> dict[str, Fingerprint]:
    """Name to size and SHA-256 of each file of an archive.

    Raises:
        Unreadable: the archive is damaged, or has other members than plain files with plain names.
    """
    plain = b"".join(unpacked(data, ARCHIVE))
    files: dict[str, Fingerprint] = {}
    problems: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for member in tar:
                name = member.name
                if not is_plain_name(name):
                    problems.append(f"{name!a} is not a plain relative name")
                elif member.type != tarfile.REGTYPE or member.issparse() or name in files:
                    problems.append(f"{name!a} is not a plain file, or is listed twice")
                else:
                    content = tar.extractfile(member)
                    contents = b"" if content is None else content.read()
                    sha256 = hashlib.sha256(contents).hexdigest()
                    files[name] = Fingerprint(len(contents), sha256)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Unreadable(ARCHIVE, f"damaged: {error}") from error
    if problems:
        raise Unreadable(ARCHIVE, problems[0])
    return files


def source_digest(bundle: BundleReader) -> SourceDigest:
    """Compute digest, number and size of the source files.

    Raises:
        Unreadable: they cannot be read, or both an archive and a folder exist.
    """
    folder = bundle.files_in(SUBMISSION)
    if bundle.has(ARCHIVE):
        if folder:
            raise Unreadable(ARCHIVE, f"exists in addition to {SUBMISSION}/")
        files = _archived(read(bundle.folder, ARCHIVE))
    else:
        files = {path.removeprefix(f"{SUBMISSION}/"): bundle.fingerprint(path) for path in folder}
    digest, size_bytes, count = hashlib.sha256(), 0, 0
    for name in sorted(files, key=lambda name: name.split("/")):
        if "__pycache__" not in name.split("/"):
            file = files[name]
            digest.update(f"{name}\0{file.size_bytes}\0{file.sha256}\n".encode())
            size_bytes, count = size_bytes + file.size_bytes, count + 1
    return SourceDigest(digest.hexdigest(), count, size_bytes)
