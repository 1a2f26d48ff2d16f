"""Reads one bundle; each file is read, parsed and hashed at most once."""

import tomllib
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TypeVar

from harness.records import (
    Evaluation,
    Event,
    Machine,
    Manifest,
    Record,
    RecordError,
    Ruleset,
    Run,
    load,
)
from harness.records.ruleset import without_retired_keys
from harness.verify.disk import (
    HASHED_MAX,
    DiskEntry,
    Fingerprint,
    Unreadable,
    exists,
    fingerprint,
    read,
    walk,
)
from harness.verify.strict import lines_of, record_of, table_blocks
from harness.verify.trace import TRACE_COLUMNS, TraceChecker

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"
TRACE = "trace.csv.gz"
SUBMISSION = "submission"
SNAPSHOTS = "snapshots"
REQUIRED = ("README.txt", "run.json", "machine.json", "events.jsonl", "ruleset.toml")
"""Files that every complete bundle has."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


class BundleReader:
    """The files of one bundle; a property raises `Unreadable` if its file cannot be used."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet."""
        self.folder = folder
        self._prints: dict[str, Fingerprint] = {}
        self.bytes_count = 0
        """Number of bytes hashed so far."""

    @cached_property
    def entries(self) -> tuple[DiskEntry, ...]:
        """All entries below the folder."""
        return tuple(walk(self.folder))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Plain files below the folder."""
        return tuple(entry.path for entry in self.entries if entry.kind == "file")

    def fingerprint(self, path: str) -> Fingerprint:
        """Size and digest of a file."""
        if path not in self._prints:
            size_max = HASHED_MAX - self.bytes_count
            self._prints[path] = fingerprint(self.folder, path, size_max)
            self.bytes_count += self._prints[path].size_bytes
        return self._prints[path]

    def has(self, path: str) -> bool:
        """Whether an entry of that name exists."""
        return exists(self.folder, path)

    def files_in(self, folder: str) -> list[str]:
        """Plain files below a folder of the bundle, sorted by the parts of their paths."""
        names = [path for path in self.files if path.startswith(f"{folder}/")]
        return sorted(names, key=lambda path: path.split("/"))

    def _record(self, path: str, kind: type[AnyRecord]) -> AnyRecord:
        return record_of(kind, read(self.folder, path), path)

    @cached_property
    def manifest(self) -> Manifest:
        """The list of files."""
        return self._record(MANIFEST, Manifest)

    @cached_property
    def run(self) -> Run:
        """The record of the run."""
        return self._record("run.json", Run)

    @cached_property
    def machine(self) -> Machine:
        """The record of the machine."""
        return self._record("machine.json", Machine)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The record of the evaluation."""
        return self._record("eval.json", Evaluation)

    @cached_property
    def ruleset(self) -> Ruleset:
        """The ruleset in force."""
        path = "ruleset.toml"
        try:
            tree = tomllib.loads(read(self.folder, path).decode("utf-8"))
            return load(Ruleset, without_retired_keys(tree), path)
        except (ValueError, RecursionError) as error:
            if isinstance(error, Unreadable):
                raise
            text = str(error) if isinstance(error, RecordError) else f"not valid TOML: {error}"
            raise Unreadable(path, text.removeprefix(f"{path}: ")) from error

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events."""
        path = "events.jsonl"
        lines = lines_of(read(self.folder, path), path)
        return tuple(
            record_of(Event, line, f"{path}:{number}") for number, line in enumerate(lines, 1)
        )

    @cached_property
    def trace(self) -> TraceChecker:
        """The trace, checked row by row."""
        blocks = table_blocks(read(self.folder, TRACE), TRACE)
        header, _, rest = next(blocks, b"").partition(b"\n")
        if header != ",".join(TRACE_COLUMNS).encode():
            raise Unreadable(TRACE, f"the header is not {','.join(TRACE_COLUMNS)}")
        checker = TraceChecker()
        for block in chain((rest,), blocks):
            checker.check(block)
        return checker
