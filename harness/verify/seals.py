"""Checks of the seal: what the manifest lists is there, unaltered, and there is nothing else."""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from harness.verify.disk import Unreadable, fingerprint, walk
from harness.verify.reader import MANIFEST, REQUIRED, SIGNATURE, SUBMISSION, BundleReader
from harness.verify.report import Problem, SkipCheck

HARNESS = Path(__file__).parents[1]
LISTED_MAX = 3
"""Names in one message."""


def manifest(bundle: BundleReader) -> Iterator[Problem]:
    """The manifest is there and is one."""
    try:
        _ = bundle.manifest
    except Unreadable as error:
        yield Problem(error.file, str(error))


def _ill_named(path: str) -> str:
    """Why a path may not stand in a manifest, or nothing."""
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or "/".join(parts) != path or ".." in parts:
        return "is no plain relative path"
    if "\\" in path or any(unicodedata.category(item) in {"Cc", "Cs"} for item in path):
        return "has a backslash or a control character in its name"
    return ""


def names(bundle: BundleReader) -> Iterator[Problem]:
    """Listed paths are relative, plain, inside the bundle, and listed once."""
    seen: set[str] = set()
    for listed in bundle.manifest.files:
        if reason := _ill_named(listed.path):
            yield Problem(ascii(listed.path), reason)
        if listed.path in seen or listed.path in (MANIFEST, SIGNATURE):
            yield Problem(listed.path, "is listed twice or must not be listed")
        seen.add(listed.path)


def kinds(bundle: BundleReader) -> Iterator[Problem]:
    """Only folders and plain files: no link, pipe, socket or device."""
    for entry in bundle.entries:
        if entry.kind in ("link", "other"):
            what = "a symbolic link" if entry.kind == "link" else "neither file nor folder"
            yield Problem(ascii(entry.path).strip("'"), what)


def unlisted(bundle: BundleReader) -> Iterator[Problem]:
    """Each file of the bundle is in the manifest."""
    known = {listed.path for listed in bundle.manifest.files} | {MANIFEST, SIGNATURE}
    for path in bundle.files:
        if path not in known:
            yield Problem(ascii(path).strip("'"), "is not in the manifest")


def required(bundle: BundleReader) -> Iterator[Problem]:
    """The files that every bundle has are listed."""
    known = {listed.path for listed in bundle.manifest.files}
    for path in REQUIRED:
        if path not in known:
            yield Problem(path, "every bundle has it, and the manifest does not list it")


def contents(bundle: BundleReader) -> Iterator[Problem]:
    """Each listed file has the size and the SHA-256 that the manifest says."""
    for listed in bundle.manifest.files:
        if _ill_named(listed.path):
            continue
        try:
            found = bundle.fingerprint(listed.path)
        except Unreadable as error:
            yield Problem(listed.path, str(error))
            continue
        if found.size_bytes != listed.size_bytes:
            yield Problem(
                listed.path, f"{found.size_bytes} bytes, the manifest says {listed.size_bytes}"
            )
        elif found.sha256 != listed.sha256:
            yield Problem(
                listed.path, "its SHA-256 is not the manifest's: the contents were changed"
            )


def tree_digest(bundle: BundleReader, paths: Iterable[str], prefix: str) -> str:
    """SHA-256 over `name NUL size NUL sha256 LF` of the files, in the order of their parts."""
    digest = hashlib.sha256()
    for path in paths:
        size_bytes, sha256 = bundle.fingerprint(path)
        digest.update(f"{path.removeprefix(prefix)}\0{size_bytes}\0{sha256}\n".encode())
    return digest.hexdigest()


def submission(bundle: BundleReader) -> Iterator[Problem]:
    """The source that ran is the one that the run names: digest, count and bytes."""
    stated = bundle.run.submission
    paths = [p for p in bundle.below(SUBMISSION) if "__pycache__" not in p.split("/")]
    if tree_digest(bundle, paths, f"{SUBMISSION}/") != stated.sha256:
        yield Problem(SUBMISSION, "its digest is not the one in run.json")
    size_bytes = sum(bundle.fingerprint(path).size_bytes for path in paths)
    if (len(paths), size_bytes) != (stated.files_count, stated.size_bytes):
        text = f"{len(paths)} files of {size_bytes} bytes, run.json says {stated.files_count} of"
        yield Problem(SUBMISSION, f"{text} {stated.size_bytes}")


@cache
def own_digest() -> str:
    """Digest of this harness's sources, by the same rule."""
    digest = hashlib.sha256()
    paths = [e.path for e in walk(HARNESS) if e.kind == "file" and e.path.endswith(".py")]
    for path in sorted(paths, key=lambda each: each.split("/")):
        size_bytes, sha256 = fingerprint(HARNESS, path)
        digest.update(f"{path}\0{size_bytes}\0{sha256}\n".encode())
    return digest.hexdigest()


def harness(bundle: BundleReader) -> Iterator[Problem]:
    """The harness that sealed it had the very sources of the one that checks.

    Another version is no fault; then it only cannot be told from here.
    """
    if bundle.manifest.harness_version != bundle.run.harness_version:
        yield Problem("run.json", "names another harness version than the manifest")
    if bundle.manifest.harness_sha256 != own_digest():
        raise SkipCheck(
            f"sealed by harness {bundle.manifest.harness_version} with sources other than these "
            f"({bundle.manifest.harness_sha256[:12]}, here {own_digest()[:12]})"
        )
