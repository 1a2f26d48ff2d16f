"""The bundle: one sealed folder a run, complete when its manifest exists."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from harness.migrate import FormatError, lift
from harness.records import (
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
from harness.storage import sha256_file, sha256_tree, write_all, write_file

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"
TRACE = "trace.csv.gz"
VITALS = "vitals.csv.gz"
README = "README.txt"

AnyRecord = TypeVar("AnyRecord", bound=Record)


class BundleError(ValueError):
    """A folder that is no readable bundle: the message names the file and the fault."""


def harness_sha256() -> str:
    """Digest of the harness's own sources, as every manifest states it."""
    return sha256_tree(Path(__file__).parent, "*.py")


def gzip_bytes(data: bytes) -> bytes:
    """Gzip without name or time in it: the same data give the same bytes."""
    return gzip.compress(data, compresslevel=6, mtime=0)


class EventLog:
    """The append-only `events.jsonl`: one write a line, synced when asked."""

    def __init__(self, path: Path, origin_ns: int) -> None:
        """Open for appending; `origin_ns` is subtracted from every stamp."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._origin_ns = origin_ns
        self._seq = 0

    def append(self, stamp_ns: int, kind: str, /, **data: Any) -> None:
        """Write one event; `stamp_ns` is on the monotonic clock.

        Raises:
            OSError: the line could not be written whole.
        """
        t_ns = stamp_ns - self._origin_ns
        tree = {"seq": self._seq, "t_ns": t_ns, "kind": kind, "data": data}
        line = json.dumps(tree, sort_keys=True, allow_nan=False, separators=(",", ":"))
        write_all(self._descriptor, line.encode() + b"\n")
        self._seq += 1

    def sync(self) -> None:
        """Make what was written durable."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._descriptor)


def listed_files(folder: Path) -> list[Path]:
    """The files that a manifest lists: all below the folder but the manifest and its signature."""
    own = {folder / MANIFEST, folder / SIGNATURE}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in own)


def manifest_files(folder: Path) -> tuple[ManifestFile, ...]:
    """Path, size and digest of each file to be sealed."""
    return tuple(
        ManifestFile(
            path=path.relative_to(folder).as_posix(),
            size_bytes=path.stat().st_size,
            sha256=sha256_file(path),
        )
        for path in listed_files(folder)
    )


def seal(folder: Path, manifest: Manifest) -> str:
    """Write the manifest, last of all files; returns its SHA-256."""
    data = dump(manifest)
    write_file(folder / MANIFEST, data)
    return hashlib.sha256(data).hexdigest()


class Bundle:
    """A sealed bundle, read lazily and as written; `verify` checks that it is intact."""

    def __init__(self, folder: Path) -> None:
        """Point at a folder.

        Raises:
            BundleError: it has no manifest.
        """
        if not (folder / MANIFEST).is_file():
            message = f"{folder}: no {MANIFEST}; not a sealed bundle (the run was cut off?)"
            raise BundleError(message)
        self.folder = folder

    def _record(self, name: str, kind: type[AnyRecord]) -> AnyRecord:
        path = self.folder / name
        try:
            tree = json.loads(path.read_bytes())
            if not isinstance(tree, dict):
                message = f"{path}: not a JSON object"
                raise BundleError(message)
            return load(kind, lift(kind.__name__.lower(), tree, path), path)
        except (OSError, ValueError, RecursionError, FormatError, RecordError) as error:
            message = (
                str(error) if isinstance(error, RecordError | FormatError) else (f"{path}: {error}")
            )
            raise BundleError(message) from error

    @property
    def manifest(self) -> Manifest:
        """What is in the bundle."""
        return self._record(MANIFEST, Manifest)

    @property
    def manifest_sha256(self) -> str:
        """The bundle's identity."""
        return sha256_file(self.folder / MANIFEST)

    @property
    def run(self) -> Run:
        """Who, what, when, which snapshots, what was found."""
        return self._record("run.json", Run)

    @property
    def machine(self) -> Machine:
        """The machine before and after."""
        return self._record("machine.json", Machine)

    @property
    def evaluation(self) -> Evaluation | None:
        """The metric of each snapshot; None for runs that got nowhere near one."""
        has_one = (self.folder / "eval.json").exists()
        return self._record("eval.json", Evaluation) if has_one else None

    @property
    def ruleset(self) -> Ruleset:
        """The ruleset in force when it ran."""
        path = self.folder / "ruleset.toml"
        try:
            return read_resolved(path.read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError, RulesetError) as error:
            raise BundleError(str(error)) from error

    @property
    def trace_path(self) -> Path | None:
        """The raw readings; None for runs without a meter."""
        path = self.folder / TRACE
        return path if path.exists() else None

    def events(self) -> Iterator[Event]:
        """The events, in order of writing.

        Raises:
            BundleError: a line is no event.
        """
        path = self.folder / "events.jsonl"
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield load(Event, line, f"{path}:{number}")
                except RecordError as error:
                    raise BundleError(str(error)) from error


def find_bundles(results: Path) -> list[Path]:
    """Folders of all sealed bundles below a results folder (or the folder itself), sorted."""
    if (results / MANIFEST).is_file():
        return [results]
    return sorted(path.parent for path in results.rglob(MANIFEST))
