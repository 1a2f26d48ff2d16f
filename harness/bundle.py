"""The bundle: the sealed folder of one run, complete when its manifest exists."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import JouleMarkError
from harness.records import (
    FORMAT,
    Evaluation,
    Event,
    Machine,
    Manifest,
    ManifestFile,
    Record,
    RecordError,
    Ruleset,
    Run,
    dump,
    load,
)
from harness.rules.load import RulesetError, read_resolved
from harness.source_archive import (
    SourceArchiveError,
    SourceFile,
    check_name,
    unpack_source,
)
from harness.storage import append_whole, sha256_file, sha256_tree, sync_tree, write_file

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"
TRACE = "trace.csv.gz"
VITALS = "vitals.csv.gz"
SOURCE = "submission.tar.gz"
SOURCE_FOLDER = "submission/"
"""Where bundles held the source before it was packed into one file."""
README = "README.txt"

AnyRecord = TypeVar("AnyRecord", bound=Record)


class BundleError(JouleMarkError, ValueError):
    """A folder that is not a readable bundle; the message names the file and what is wrong."""


def harness_sha256() -> str:
    """Digest of the sources of the harness, which every manifest contains."""
    return sha256_tree(Path(__file__).parent, "*.py")


class EventLog:
    """The append-only `events.jsonl`: one write per line."""

    def __init__(self, path: Path, origin_ns: int) -> None:
        """Open a file for appending; `origin_ns` is subtracted from every time."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._origin_ns = origin_ns
        self._seq = 0
        self._size_bytes = os.fstat(self._descriptor).st_size

    def append(self, stamp_ns: int, kind: str, /, **data: Any) -> None:
        """Write one event; `stamp_ns` is on the monotonic clock.

        Raises:
            OSError: the line could not be written; no part of it stays in the file.
        """
        t_ns = stamp_ns - self._origin_ns
        tree = {"seq": self._seq, "t_ns": t_ns, "kind": kind, "data": data}
        line = json.dumps(tree, sort_keys=True, allow_nan=False, separators=(",", ":"))
        append_whole(self._descriptor, line.encode() + b"\n", self._size_bytes)
        self._size_bytes += len(line) + 1
        self._seq += 1

    def close(self) -> None:
        """Sync and close the file; a second call does nothing.

        Raises:
            OSError: the events may not be durable; the file is closed nevertheless.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def listed_files(folder: Path) -> list[Path]:
    """The files that a manifest lists: all below the folder except it and its signature."""
    own = {folder / MANIFEST, folder / SIGNATURE}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in own)


def manifest_files(folder: Path) -> tuple[ManifestFile, ...]:
    """Path, size and digest of the files to seal."""
    return tuple(
        ManifestFile(
            path=path.relative_to(folder).as_posix(),
            size_bytes=path.stat().st_size,
            sha256=sha256_file(path),
        )
        for path in listed_files(folder)
    )


def seal(folder: Path, manifest: Manifest) -> str:
    """Write the manifest as the last file; returns its SHA-256.

    All other files are synced first, so that a manifest never lists files that a power cut lost.
    """
    sync_tree(folder)
    data = dump(manifest)
    write_file(folder / MANIFEST, data)
    return hashlib.sha256(data).hexdigest()


def _parse(kind: type[AnyRecord], data: bytes, path: Path) -> AnyRecord:
    """Read a record from a file's bytes.

    Raises:
        BundleError: the bytes are not that record, or its format is not the one of this version.
    """
    try:
        record = load(kind, data, path)
    except RecordError as error:
        raise BundleError(_format_error(kind, data, path) or str(error)) from error
    if "format" not in record.model_fields_set or getattr(record, "format", None) != FORMAT:
        raise BundleError(_format_error(kind, data, path))
    return record


def _format_error(kind: type[Record], data: bytes, path: Path) -> str:
    """What is wrong with the `format` number of a JSON file; empty where it is right."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(tree, dict):
        return f"{path}: not a JSON object"
    number = tree.get("format")
    if type(number) is not int or number < 1:
        name = kind.__name__.lower()
        return f"{path}: has no valid format number; it is not a JouleMark {name} file"
    if number != FORMAT:
        return f"{path}: has format {number}, and this version reads {FORMAT}; update joulemark"
    return ""


class Bundle:
    """A sealed bundle; every file is read once, when needed. `harness.verify` checks all of it."""

    def __init__(self, folder: Path, *, checked: bool = False) -> None:
        """Name the folder.

        Args:
            folder: The bundle.
            checked: Whether to compare every file with the manifest when it is read.

        Raises:
            BundleError: the folder has no manifest.
        """
        self._path = str(folder)
        if not os.path.isfile(f"{self._path}/{MANIFEST}"):  # noqa: PTH113 - as in _read
            raise BundleError(f"{folder}: no {MANIFEST}, so not a sealed bundle; was it cut off?")
        self.folder = folder
        self._checked = checked

    @cached_property
    def _manifest_bytes(self) -> bytes:
        return self._read(MANIFEST)

    @cached_property
    def _sealed(self) -> dict[str, str]:
        """SHA-256 of the files in the manifest, by path."""
        return {file.path: file.sha256 for file in self.manifest.files}

    def _read(self, name: str) -> bytes:
        try:
            # Strings and unbuffered files: they halve the time to read ten thousand bundles.
            with FileIO(f"{self._path}/{name}") as file:
                return file.readall()
        except OSError as error:
            raise BundleError(f"{self.folder / name}: {error.strerror or error}") from error

    def read(self, name: str) -> bytes:
        """Read a file of the bundle.

        Raises:
            BundleError: it cannot be read, or (with `checked`) differs from the manifest.
        """
        data = self._read(name)
        if self._checked and self._sealed.get(name) != hashlib.sha256(data).hexdigest():
            raise BundleError(f"{self.folder / name}: was changed after it was sealed")
        return data

    def _record(self, name: str, kind: type[AnyRecord]) -> AnyRecord:
        return _parse(kind, self.read(name), self.folder / name)

    def _has(self, name: str) -> bool:
        """Whether the file exists, or (with `checked`) is in the manifest."""
        exists = os.path.exists(f"{self._path}/{name}")  # noqa: PTH110 - as in _read
        return exists or (self._checked and name in self._sealed)

    @cached_property
    def manifest(self) -> Manifest:
        """The list of files, with their digests."""
        return _parse(Manifest, self._manifest_bytes, self.folder / MANIFEST)

    @cached_property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest, which identifies the bundle."""
        return hashlib.sha256(self._manifest_bytes).hexdigest()

    @cached_property
    def run(self) -> Run:
        """The record of the run."""
        return self._record("run.json", Run)

    @cached_property
    def machine(self) -> Machine:
        """The record of the machine before and after the run."""
        return self._record("machine.json", Machine)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The metrics of the snapshots; None if the run ended before its evaluation."""
        return self._record("eval.json", Evaluation) if self._has("eval.json") else None

    @cached_property
    def ruleset(self) -> Ruleset:
        """The ruleset of the run."""
        path = self.folder / "ruleset.toml"
        try:
            return read_resolved(self.read("ruleset.toml").decode(), path)
        except (UnicodeDecodeError, RulesetError) as error:
            raise BundleError(str(error)) from error

    @property
    def trace_path(self) -> Path | None:
        """Path of the readings; None for runs without a meter."""
        path = self.folder / TRACE
        return path if path.exists() else None

    def trace_text(self) -> bytes | None:
        """The readings as CSV text; None for runs without a meter.

        Raises:
            BundleError: the file cannot be read or unpacked.
        """
        if not self._has(TRACE):
            return None
        try:
            return gzip.decompress(self.read(TRACE))
        except (OSError, EOFError, zlib.error) as error:
            raise BundleError(f"{self.folder / TRACE}: cannot be unpacked: {error}") from error

    def source_files(self) -> dict[str, SourceFile]:
        """The submission's source as it was run: name to contents.

        Raises:
            BundleError: a file cannot be read, was changed, or has an unsafe name.
        """
        try:
            if self._has(SOURCE):
                return unpack_source(self.read(SOURCE))
            paths = [file.path for file in self.manifest.files]
            names = [path.removeprefix(SOURCE_FOLDER) for path in paths
                     if path.startswith(SOURCE_FOLDER)]  # fmt: skip
            for name in names:
                check_name(name)
            return {name: self._source_file(name) for name in names}
        except SourceArchiveError as error:
            raise BundleError(f"{self.folder / SOURCE}: {error}") from error

    def _source_file(self, name: str) -> SourceFile:
        path = self.folder / SOURCE_FOLDER / name
        return SourceFile(self.read(SOURCE_FOLDER + name), os.access(path, os.X_OK))

    def events(self) -> Iterator[Event]:
        """The events in the order of writing.

        Raises:
            BundleError: a line is not an event.
        """
        path = self.folder / "events.jsonl"
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield load(Event, line, f"{path}:{number}")
                except RecordError as error:
                    raise BundleError(str(error)) from error


def find_bundles(results: Path) -> list[Path]:
    """All sealed bundles below a results folder (or the folder itself), sorted.

    A folder inside of a bundle is not listed: a submission may contain a `manifest.json` of its
    own.
    """
    return list(map(Path, sorted(_bundles(str(results)), key=lambda path: path.split("/"))))


def _bundles(folder: str) -> Iterator[str]:
    """The folder itself, or the bundles below it; a folder that cannot be listed has none."""
    if os.path.isfile(f"{folder}/{MANIFEST}"):  # noqa: PTH113 - as in _read
        yield folder
        return
    try:
        with os.scandir(folder) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in below:
        yield from _bundles(path)
