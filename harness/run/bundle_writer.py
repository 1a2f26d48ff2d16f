"""The bench of one run: its folder, its events, its rows in the ledger, and the seal at the end."""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.bundle import Bundle, BundleError, EventLog, harness_sha256, manifest_files, seal
from harness.clock import Anchor, anchor, utc_compact
from harness.ledger import Ledger
from harness.records import Finding, LedgerRow, Manifest, Record, Run, Status, Submission, dump
from harness.rules.load import as_toml
from harness.run.order import Order
from harness.run.readme import README_TEXT
from harness.run.source_checks import LOCK, packages_bytes, source_findings
from harness.run.submission import freeze
from harness.sign import sign_before_sealing
from harness.storage import make_folder, sha256_file, write_file


@dataclass(frozen=True)
class BundleWriter:
    """An opened bundle folder; everything in it is written through here."""

    order: Order
    machine: str
    run_id: str
    folder: Path
    origin: Anchor
    submission: Submission
    events: EventLog
    ledger: Ledger
    row: LedgerRow
    packing: tuple[Finding, ...] = ()
    """What the frozen source carries besides source."""

    @property
    def source(self) -> Path:
        """The frozen submission."""
        return self.folder / "submission"

    def relative_ns(self, stamp_ns: int | None) -> int | None:
        """A monotonic stamp as nanoseconds after the run's origin."""
        return None if stamp_ns is None else stamp_ns - self.origin.monotonic_ns

    def write(self, name: str, record: Record) -> None:
        """Write one record of the bundle."""
        write_file(self.folder / name, dump(record))

    def close(self) -> None:
        """Let go of the events, where the seal was not reached."""
        with contextlib.suppress(OSError):
            self.events.close()

    def seal(self, run: Run) -> str:
        """Write run.json and the manifest, and close the row in the ledger; returns its digest.

        With a key the signature is written ahead of the manifest. Where that fails the run is
        sealed without one, since a signature can be added later and a run cannot be repeated.

        Raises:
            OSError: the disk refused; a signature alone, after all else was written.
        """
        self.events.close()
        self.write("run.json", run)
        manifest = Manifest(
            run_id=self.run_id,
            status=run.status,
            files=manifest_files(self.folder),
            harness_version=harness.__version__,
            harness_sha256=harness_sha256(),
            ledger_seq=self.row.seq,
            previous_manifest_sha256=self.ledger.last_manifest(),
        )
        refused = self._sign(manifest)
        digest = seal(self.folder, manifest)
        self._ledger_row("finished", run.status, digest)
        if refused is not None:
            raise refused
        return digest

    def _sign(self, manifest: Manifest) -> OSError | None:
        """Sign where there is a key; returns why that could not be."""
        try:
            if self.order.key is not None:
                sign_before_sealing(self.folder, manifest, self.order.key)
        except OSError as error:
            return error
        return None

    def _ledger_row(self, kind: Any, status: Status | None, digest: str | None) -> LedgerRow:
        return _append(self.ledger, kind, self._row_fields(), status, digest)

    def _row_fields(self) -> dict[str, Any]:
        return row_fields(self.order, self.run_id, self.folder, self.submission)


def row_fields(order: Order, run_id: str, folder: Path, submission: Submission) -> dict[str, Any]:
    """What both rows of a run state."""
    return {
        "run_id": run_id,
        "workload": order.workload.name,
        "submission": submission.name,
        "submission_sha256": submission.sha256,
        "seed_commitment": order.seeds.commitment,
        "bundle": folder.relative_to(order.results.resolve()).as_posix(),
    }


def _append(
    ledger: Ledger, kind: Any, fields: dict[str, Any], status: Status | None, digest: str | None
) -> LedgerRow:
    return ledger.append(kind, status=status, manifest_sha256=digest, **fields)


def _fresh_folder(order: Order, machine: str, origin: Anchor) -> tuple[str, Path]:
    parts: Sequence[str] = (order.workload.name, order.source.name, machine)
    place = order.results.resolve().joinpath(*parts)
    while True:
        run_id = f"{utc_compact(origin.wall_ns)}-{secrets.token_hex(2)}"
        # A run of the same second draws the same name once in 65,536 times.
        if not (place / run_id).exists():
            make_folder(place / run_id)
            return run_id, place / run_id


def _frozen(order: Order, target: Path) -> Submission:
    """Freeze the source, and state what packages it carries."""
    submission = freeze(order.source, target, order.ruleset.run.source_bytes_max)
    lock = target / LOCK
    change = {
        "packages_bytes": packages_bytes(target),
        "requirements_sha256": sha256_file(lock) if lock.is_file() else None,
    }
    return submission.model_copy(update=change)


def open_bundle(order: Order, machine: str) -> BundleWriter:
    """Freeze the submission, open the folder, and enter the run into the ledger.

    Raises:
        SubmissionError: the source is too large or holds odd files.
        LedgerError: the machine's ledger is damaged.
        OSError: the results folder cannot be written.
    """
    origin = anchor()
    run_id, folder = _fresh_folder(order, machine, origin)
    try:
        submission = _frozen(order, folder / "submission")
        packing = tuple(source_findings(folder / "submission"))
        ledger = Ledger(order.results.resolve(), machine)
        _finish_sealed(ledger, order.results.resolve())
        row = _append(ledger, "started", row_fields(order, run_id, folder, submission), None, None)
    except BaseException:
        _remove(folder)
        raise
    write_file(folder / "README.txt", README_TEXT.encode())
    write_file(folder / "ruleset.toml", as_toml(order.ruleset).encode())
    events = EventLog(folder / "events.jsonl", origin.monotonic_ns)
    fixed = (order, machine, run_id, folder, origin)
    return BundleWriter(*fixed, submission, events, ledger, row, packing)


def _finish_sealed(ledger: Ledger, results: Path) -> None:
    """Close the rows of runs that were sealed and cut off before the ledger was told.

    The manifest is the moment at which a run is over; a run without one stays unfinished.
    """
    for row in ledger.unfinished():
        try:
            sealed = Bundle(results / row.bundle)
            manifest = sealed.manifest
        except BundleError:
            continue
        if (manifest.run_id, manifest.ledger_seq) == (row.run_id, row.seq):
            ledger.finish(row, manifest.status, sealed.manifest_sha256)


def _remove(folder: Path) -> None:
    """Take back a folder in which nothing has happened yet."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
