"""A bundle under examination: each file is read, parsed and hashed at most once."""

import math
import tomllib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

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
from harness.verify.disk import Entry, Print, Unreadable, exists, fingerprint, read, walk
from harness.verify.strict import lines_of, record_of, table_lines

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"
TRACE = "trace.csv.gz"
TRACE_COLUMNS = ("t_ns", "domain", "energy_j", "power_w", "u_ns")
SUBMISSION = "submission"
SNAPSHOTS = "snapshots"
REQUIRED = ("README.txt", "run.json", "machine.json", "events.jsonl", "ruleset.toml")
"""Files that a complete bundle cannot be without."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


class TraceFacts(NamedTuple):
    """What the checker takes from a trace."""

    rows: dict[str, int]
    """Rows of each domain."""
    faults: tuple[str, ...]
    """Sentences on rows that are wrong."""


class Opened:
    """One bundle's folder; whatever cannot be read raises `Unreadable` when it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Look at a folder; nothing is read yet."""
        self.folder = folder
        self._prints: dict[str, Print] = {}

    # --- files ----------------------------------------------------------------------------------

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All that lies below the folder."""
        return tuple(walk(self.folder))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Plain files below the folder."""
        return tuple(entry.path for entry in self.entries if entry.kind == "file")

    def fingerprint(self, path: str) -> Print:
        """Size and digest of a file."""
        if path not in self._prints:
            self._prints[path] = fingerprint(self.folder, path)
        return self._prints[path]

    def has(self, path: str) -> bool:
        """Whether there is something of that name."""
        return exists(self.folder, path)

    def below(self, folder: str) -> list[str]:
        """Plain files in a folder of the bundle, in the order of their parts."""
        names = [path for path in self.files if path.startswith(f"{folder}/")]
        return sorted(names, key=lambda path: path.split("/"))

    @property
    def bytes_count(self) -> int:
        """Bytes hashed so far."""
        return sum(each.size_bytes for each in self._prints.values())

    # --- records --------------------------------------------------------------------------------

    def _record(self, path: str, kind: type[AnyRecord]) -> AnyRecord:
        return record_of(kind, read(self.folder, path), path)

    @cached_property
    def manifest(self) -> Manifest:
        """The list of files."""
        return self._record(MANIFEST, Manifest)

    @cached_property
    def run(self) -> Run:
        """The run's record."""
        return self._record("run.json", Run)

    @cached_property
    def machine(self) -> Machine:
        """The machine's record."""
        return self._record("machine.json", Machine)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The judge's record."""
        return self._record("eval.json", Evaluation)

    @cached_property
    def ruleset(self) -> Ruleset:
        """The ruleset in force."""
        path = "ruleset.toml"
        try:
            tree = tomllib.loads(read(self.folder, path).decode("utf-8"))
            return load(Ruleset, tree, path)
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
    def trace(self) -> TraceFacts:
        """The trace, read through once."""
        lines = table_lines(read(self.folder, TRACE), TRACE)
        header = next(lines, "")
        if tuple(header.split(",")) != TRACE_COLUMNS:
            raise Unreadable(TRACE, f"the header is not {','.join(TRACE_COLUMNS)}")
        last: dict[str, int] = {}
        rows: dict[str, int] = {}
        faults: list[str] = []
        for number, line in enumerate(lines, 2):
            fault = _row_fault(line, last, rows)
            if fault:
                faults.append(f"line {number}: {fault}")
        return TraceFacts(rows, tuple(faults))


def _row_fault(line: str, last: dict[str, int], rows: dict[str, int]) -> str:
    """What is wrong with one reading, or nothing; notes its domain and time."""
    cells = line.split(",")
    if len(cells) != len(TRACE_COLUMNS):
        return f"{len(cells)} columns in place of {len(TRACE_COLUMNS)}"
    stamp, domain, energy, power, half = cells
    rows[domain] = rows.get(domain, 0) + 1
    if not stamp.removeprefix("-").isdecimal() or not half.isdecimal():
        return "t_ns or u_ns is no whole number"
    if not (energy or power):
        return "neither energy_j nor power_w"
    if not (_is_finite(energy) and _is_finite(power)):
        return "energy_j or power_w is no finite number"
    t_ns = int(stamp)
    late = t_ns < last.get(domain, t_ns)
    last[domain] = t_ns
    return f"domain {domain}: goes back in time" if late else ""


def _is_finite(text: str) -> bool:
    """Whether it is empty or a finite number."""
    try:
        return not text or math.isfinite(float(text))
    except ValueError:
        return False
