"""The ledger of a machine: an append-only chain of rows that lists every started run."""

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from harness.clock import anchor, utc_text
from harness.errors import ExitCode, JouleMarkError
from harness.records import LedgerRow, RecordError, Status, load
from harness.storage import append_whole, make_folder, sync_folder

GENESIS = "0" * 64
FOREIGN = "foreign"
"""Name of the ledger of imported bundles; no machine has this name."""
RowKind = Literal["started", "finished", "foreign"]
_STATEMENTS = ("run_id", "workload", "submission", "submission_sha256", "seed_commitment", "bundle")
"""Fields that are the same in both rows of a run."""


class LedgerError(JouleMarkError, ValueError):
    """A ledger that is damaged; the message names the file and the line."""


def results_folder(folder: Path) -> Path:
    """The results folder that a folder is in: it, or one of the next four above, with `ledgers`."""
    resolved = folder.resolve()
    above = (resolved, *list(resolved.parents)[:4])
    return next((path for path in above if (path / "ledgers").is_dir()), folder)


def row_hash(tree: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a row: sorted keys, no spaces, without its `hash`."""
    body = {key: value for key, value in tree.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_ledger(path: Path) -> list[LedgerRow]:
    """Read all rows, and check their numbers, chain and hashes.

    Raises:
        LedgerError: a line is incomplete, changed, missing or out of order.
    """
    rows: list[LedgerRow] = []
    if not path.exists():
        return rows
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        raise LedgerError(
            f"{path}: the last line is torn; the next run moves it to a .torn file and continues"
        )
    for number, line in enumerate(data.splitlines(), 1):
        row = _read_row(line, f"{path}:{number}")
        expected = (len(rows), rows[-1].hash if rows else GENESIS)
        if (row.seq, row.previous) != expected:
            raise LedgerError(
                f"{path}:{number}: breaks the chain (row {row.seq}, expected {expected[0]})"
            )
        rows.append(row)
    return rows


def _read_row(line: bytes, where: str) -> LedgerRow:
    try:
        row = load(LedgerRow, line, where)
    except RecordError as error:
        raise LedgerError(str(error)) from error
    if row_hash(row.model_dump(mode="json")) != row.hash:
        raise LedgerError(f"{where}: the row's hash does not match its contents")
    return row


class Ledger:
    """Appends rows under a file lock, which the kernel releases when the process ends."""

    def __init__(self, results: Path, machine: str) -> None:
        """Name the ledger `results/ledgers/<machine>.jsonl`."""
        self.path = results / "ledgers" / f"{machine}.jsonl"

    def append(self, kind: RowKind, **fields: Any) -> LedgerRow:
        """Add one row; it is synced when this returns.

        Raises:
            LedgerError: the file is damaged, so nothing is added.
            OSError: the row could not be written; the ledger is unchanged.
        """
        with self._locked() as descriptor:
            row = self._next_row(kind, fields)
            line = json.dumps(row.model_dump(mode="json"), sort_keys=True, allow_nan=False)
            size_bytes = os.fstat(descriptor).st_size
            try:
                append_whole(descriptor, line.encode() + b"\n", size_bytes)
                os.fsync(descriptor)
                if not size_bytes:
                    sync_folder(self.path.parent)
            except OSError:
                # The caller treats this row as not written, so no part of it may stay.
                os.ftruncate(descriptor, size_bytes)
                raise
            return row

    def finish(self, started: LedgerRow, status: Status, manifest_sha256: str) -> LedgerRow:
        """Add the row that finishes a run, with the statements of the row that started it.

        Raises:
            LedgerError: the file is damaged, so nothing is added.
            OSError: the row could not be written; the ledger is unchanged.
        """
        statements = started.model_dump(include=set(_STATEMENTS))
        return self.append("finished", status=status, manifest_sha256=manifest_sha256, **statements)

    def unfinished(self) -> list[LedgerRow]:
        """Rows of runs that were started and not finished.

        Raises:
            LedgerError: the file is damaged.
        """
        with self._locked():
            rows = read_ledger(self.path)
        finished = {row.run_id for row in rows if row.kind == "finished"}
        return [row for row in rows if row.run_id not in finished]

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Lock the file, which is created if needed, and remove a row that a crash cut off."""
        if not self.path.parent.is_dir():
            make_folder(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._move_torn_line(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _move_torn_line(self, descriptor: int) -> None:
        """Move an incomplete last line to `<ledger>.torn`.

        Only a crash during a write leaves one, and that write did not report success.
        """
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self.path.with_name(f"{self.path.name}.torn").open("ab") as aside:
                aside.write(data[whole:] + b"\n")
            os.ftruncate(descriptor, whole)

    def _next_row(self, kind: RowKind, fields: dict[str, Any]) -> LedgerRow:
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
        """SHA-256 of the last manifest of this machine; None if there is none."""
        sealed = [row.manifest_sha256 for row in read_ledger(self.path) if row.manifest_sha256]
        return sealed[-1] if sealed else None


class MachineBusy(JouleMarkError, RuntimeError):
    """Another run uses this machine."""

    # What is measured next to another run cannot be trusted, so no run is started.
    exit_code = ExitCode.UNTRUSTED


LOCK_VARIABLE = "JOULEMARK_LOCK"


def lock_path() -> Path:
    """The lock file of the machine, in a folder that no other user can write to.

    `JOULEMARK_LOCK` names another file. Root's is in `/run`; that of another user in the user's
    runtime folder, or in a folder of the user's own below the one for temporary files.

    Raises:
        MachineBusy: that folder belongs to someone else.
    """
    if named := os.environ.get(LOCK_VARIABLE):
        return Path(named)
    uid = os.geteuid()
    if uid == 0:
        return Path("/run/joulemark.lock")
    folder = Path(f"/run/user/{uid}")
    if not folder.is_dir():
        folder = Path(tempfile.gettempdir()) / f"joulemark-{uid}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or status.st_mode & 0o022:
        raise MachineBusy(f"{folder}: not a folder of user {uid} alone; set {LOCK_VARIABLE}")
    return folder / "joulemark.lock"


def _open_lock(path: Path) -> int:
    """Open the lock file, or create it; it has to be a plain file.

    Raises:
        MachineBusy: it is a link, a pipe or something else.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise MachineBusy(f"{path}: cannot be locked: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MachineBusy(f"{path}: not a plain file, so it cannot be locked; remove it")
    return descriptor


@contextmanager
def machine_lock(path: Path | None = None) -> Iterator[None]:
    """Reserve the machine for one series; the kernel releases it when the process ends.

    Raises:
        MachineBusy: another run uses the machine.
    """
    path = path or lock_path()
    descriptor = _open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineBusy(
                f"another run uses this machine ({path}); wait for it or stop it"
            ) from error
        yield
    finally:
        os.close(descriptor)
