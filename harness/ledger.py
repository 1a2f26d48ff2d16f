"""The ledger of a machine: append-only, chained rows; a run that was started is in it."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from harness.clock import anchor, utc_text
from harness.errors import ExitCode, JouleMarkError
from harness.records import LedgerRow, RecordError, Status, load
from harness.storage import append_whole, make_folder, sync_folder

GENESIS = "0" * 64
FOREIGN = "foreign"
"""Name of the ledger of bundles that came from elsewhere; no machine is called so."""
RowKind = Literal["started", "finished", "foreign"]
_STATED = ("run_id", "workload", "submission", "submission_sha256", "seed_commitment", "bundle")
"""What both rows of a run state."""


class LedgerError(JouleMarkError, ValueError):
    """A ledger that cannot be trusted or appended to: the message names file and line."""


def row_hash(tree: dict[str, Any]) -> str:
    """SHA-256 of a row's canonical JSON: sorted keys, no spaces, without its own `hash`."""
    body = {key: value for key, value in tree.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_ledger(path: Path) -> list[LedgerRow]:
    """All rows, with sequence, chain and hashes checked.

    Raises:
        LedgerError: a line is torn, altered, missing or out of order.
    """
    rows: list[LedgerRow] = []
    if not path.exists():
        return rows
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        raise LedgerError(f"{path}: last line is torn; the next run sets it aside and goes on")
    for number, line in enumerate(data.splitlines(), 1):
        row = _checked(line, f"{path}:{number}")
        expected = (len(rows), rows[-1].hash if rows else GENESIS)
        if (row.seq, row.previous) != expected:
            raise LedgerError(
                f"{path}:{number}: breaks the chain (row {row.seq}, expected {expected[0]})"
            )
        rows.append(row)
    return rows


def _checked(line: bytes, where: str) -> LedgerRow:
    try:
        row = load(LedgerRow, line, where)
    except RecordError as error:
        raise LedgerError(str(error)) from error
    if row_hash(row.model_dump(mode="json")) != row.hash:
        raise LedgerError(f"{where}: the row's hash does not match its contents")
    return row


class Ledger:
    """Appends rows under a lock that vanishes with the process."""

    def __init__(self, results: Path, machine: str) -> None:
        """The ledger `results/ledgers/<machine>.jsonl`."""
        self.path = results / "ledgers" / f"{machine}.jsonl"

    def append(self, kind: RowKind, **fields: Any) -> LedgerRow:
        """Add one row, synced before it returns.

        Raises:
            LedgerError: the file is damaged, so that nothing may be added to it.
            OSError: the row could not be written; the ledger is as it was.
        """
        with self._held() as descriptor:
            row = self._next(kind, fields)
            line = json.dumps(row.model_dump(mode="json"), sort_keys=True, allow_nan=False)
            size_bytes = os.fstat(descriptor).st_size
            try:
                append_whole(descriptor, line.encode() + b"\n", size_bytes)
                os.fsync(descriptor)
                if not size_bytes:
                    sync_folder(self.path.parent)
            except OSError:
                # A row that nobody was told of must not be there either.
                os.ftruncate(descriptor, size_bytes)
                raise
            return row

    def finish(self, started: LedgerRow, status: Status, manifest_sha256: str) -> LedgerRow:
        """Close a row that `append` opened, with the same statements.

        Raises:
            LedgerError: the file is damaged, so that nothing may be added to it.
            OSError: the row could not be written; the ledger is as it was.
        """
        stated = started.model_dump(include=set(_STATED))
        return self.append("finished", status=status, manifest_sha256=manifest_sha256, **stated)

    def unfinished(self) -> list[LedgerRow]:
        """Rows of runs that were started and never finished.

        Raises:
            LedgerError: the file is damaged.
        """
        with self._held():
            rows = read_ledger(self.path)
        done = {row.run_id for row in rows if row.kind == "finished"}
        return [row for row in rows if row.run_id not in done]

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, locked, without what a crash left of a row; made where there was none."""
        if not self.path.parent.is_dir():
            make_folder(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._set_torn_aside(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _set_torn_aside(self, descriptor: int) -> None:
        """Move a last line without its end into `<ledger>.torn`.

        Only a crash in the middle of a write leaves one, and nobody was told of that row.
        """
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self.path.with_name(f"{self.path.name}.torn").open("ab") as aside:
                aside.write(data[whole:] + b"\n")
            os.ftruncate(descriptor, whole)

    def _next(self, kind: RowKind, fields: dict[str, Any]) -> LedgerRow:
        rows = read_ledger(self.path)
        previous = rows[-1].hash if rows else GENESIS
        base = LedgerRow(
            seq=len(rows),
            utc=utc_text(anchor().wall_ns),
            kind=kind,
            previous=previous,
            hash="",
            **fields,
        )
        return base.model_copy(update={"hash": row_hash(base.model_dump(mode="json"))})

    def last_manifest(self) -> str | None:
        """SHA-256 of the manifest sealed last on this machine."""
        sealed = [row.manifest_sha256 for row in read_ledger(self.path) if row.manifest_sha256]
        return sealed[-1] if sealed else None


class MachineBusy(JouleMarkError, RuntimeError):
    """Another run holds this machine."""

    # What is measured next to another run cannot be trusted, so no run is started.
    exit_code = ExitCode.UNTRUSTED


LOCK_VARIABLE = "JOULEMARK_LOCK"


def lock_path() -> Path:
    """The machine-wide lock file; `JOULEMARK_LOCK` names another one."""
    return Path(os.environ.get(LOCK_VARIABLE) or Path(tempfile.gettempdir()) / "joulemark.lock")


def _open_lock(path: Path) -> int:
    """Open the lock file, or make it; another user's file is opened as it is."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


@contextmanager
def machine_lock(path: Path | None = None) -> Iterator[None]:
    """Hold the machine for one series; the lock vanishes with the process, whatever ends it.

    Raises:
        MachineBusy: another run holds it.
    """
    path = path or lock_path()
    descriptor = _open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineBusy(
                f"another run holds this machine ({path}); wait for it or stop it"
            ) from error
        yield
    finally:
        os.close(descriptor)
