"""Checks of the seal: the files of the bundle are those that the manifest lists, unchanged."""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.verify.disk import Unreadable, fingerprint, is_plain_name, walk
from harness.verify.reader import MANIFEST, REQUIRED, SIGNATURE, SUBMISSION, BundleReader
from harness.verify.report import Problem, SkipCheck
from harness.verify.source import source_digest

HARNESS = Path(__file__).parents[1]


def manifest(bundle: BundleReader) -> Iterator[Problem]:
    """The manifest exists and is valid."""
    try:
        _ = bundle.manifest
    except Unreadable as error:
        yield Problem(error.file, str(error))


def names(bundle: BundleReader) -> Iterator[Problem]:
    """Listed paths are plain, relative, in the bundle, and listed once."""
    seen: set[str] = set()
    for listed in bundle.manifest.files:
        if not is_plain_name(listed.path):
            yield Problem(ascii(listed.path), "is not a plain relative path")
        if listed.path in seen or listed.path in (MANIFEST, SIGNATURE):
            yield Problem(listed.path, "is listed twice or must not be listed")
        seen.add(listed.path)


def kinds(bundle: BundleReader) -> Iterator[Problem]:
    """The bundle contains only folders and plain files: no link, pipe, socket or device."""
    for entry in bundle.entries:
        if entry.kind in ("link", "other"):
            text = "a symbolic link" if entry.kind == "link" else "neither file nor folder"
            yield Problem(ascii(entry.path).strip("'"), text)


def unlisted(bundle: BundleReader) -> Iterator[Problem]:
    """Every file of the bundle is in the manifest."""
    known = {listed.path for listed in bundle.manifest.files} | {MANIFEST, SIGNATURE}
    for path in bundle.files:
        if path not in known:
            yield Problem(ascii(path).strip("'"), "is not in the manifest")


def required(bundle: BundleReader) -> Iterator[Problem]:
    """The manifest lists the files that every bundle has."""
    known = {listed.path for listed in bundle.manifest.files}
    for path in REQUIRED:
        if path not in known:
            yield Problem(path, "is not in the manifest, but every bundle has it")


def contents(bundle: BundleReader) -> Iterator[Problem]:
    """Every listed file has the size and the SHA-256 that the manifest states."""
    for listed in bundle.manifest.files:
        if not is_plain_name(listed.path):
            continue
        try:
            actual = bundle.fingerprint(listed.path)
        except Unreadable as error:
            yield Problem(listed.path, str(error))
            continue
        if actual.size_bytes != listed.size_bytes:
            yield Problem(
                listed.path, f"{actual.size_bytes} bytes, the manifest says {listed.size_bytes}"
            )
        elif actual.sha256 != listed.sha256:
            yield Problem(
                listed.path, "its SHA-256 is not the manifest's: the contents were changed"
            )


def submission(bundle: BundleReader) -> Iterator[Problem]:
    """The submission has the digest, number of files and bytes that run.json states."""
    stated = bundle.run.submission
    actual = source_digest(bundle)
    if actual.sha256 != stated.sha256:
        yield Problem(SUBMISSION, "its digest is not the one in run.json")
    if actual[1:] != (stated.files_count, stated.size_bytes):
        text = f"{actual.files_count} files of {actual.size_bytes} bytes, run.json says"
        yield Problem(SUBMISSION, f"{text} {stated.files_count} of {stated.size_bytes}")


@cache
def own_digest() -> str:
    """Digest of the sources of this harness, by the same rule."""
    digest = hashlib.sha256()
    paths = [e.path for e in walk(HARNESS) if e.kind == "file" and e.path.endswith(".py")]
    for path in sorted(paths, key=lambda path: path.split("/")):
        size_bytes, sha256 = fingerprint(HARNESS, path)
        digest.update(f"{path}\0{size_bytes}\0{sha256}\n".encode())
    return digest.hexdigest()


def harness(bundle: BundleReader) -> Iterator[Problem]:
    """The harness that sealed the bundle had the same sources as this one.

    Another version is not a problem; the check is skipped.
    """
    if bundle.manifest.harness_version != bundle.run.harness_version:
        yield Problem("run.json", "names another harness version than the manifest")
    if bundle.manifest.harness_sha256 != own_digest():
        raise SkipCheck(
            f"sealed by harness {bundle.manifest.harness_version} with sources other than these "
            f"({bundle.manifest.harness_sha256[:12]}, here {own_digest()[:12]})"
        )
