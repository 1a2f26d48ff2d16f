"""Writes the bundle of one run: its folder, its events, its rows in the ledger, its seal."""

import contextlib
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import harness
from harness.bundle import (
    README,
    SOURCE,
    Bundle,
    BundleError,
    EventLog,
    harness_sha256,
    manifest_files,
    seal,
)
from harness.clock import Anchor, anchor, utc_compact
from harness.ledger import Ledger
from harness.records import LedgerRow, Manifest, Record, Run, dump
from harness.rules.load import as_toml
from harness.run.order import Order
from harness.run.readme import README_TEXT
from harness.sign import sign_before_sealing
from harness.storage import make_folder, write_file


@dataclass(frozen=True)
class BundleWriter:
    """An open bundle; everything in its folder is written through here."""

    order: Order
    machine: str
    run_id: str
    folder: Path
    origin: Anchor
    events: EventLog
    ledger: Ledger
    row: LedgerRow

    def relative_ns(self, stamp_ns: int | None) -> int | None:
        """A monotonic stamp as nanoseconds after the run's origin."""
        return None if stamp_ns is None else stamp_ns - self.origin.monotonic_ns

    def write(self, name: str, record: Record) -> None:
        """Write one record of the bundle."""
        write_file(self.folder / name, dump(record))

    def close(self) -> None:
        """Close the events of a bundle that could not be sealed."""
        with contextlib.suppress(OSError):
            self.events.close()

    def seal(self, run: Run) -> str:
        """Write run.json and the manifest, and close the row in the ledger; returns its digest.

        With a key the signature is written before the manifest. If that fails, the run is sealed
        without a signature, since a signature can be added later and a run cannot be repeated.

        Raises:
            OSError: the disk refused; if only the signature failed, all else was written.
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
        self.ledger.finish(self.row, run.status, digest)
        if refused is not None:
            raise refused
        return digest

    def _sign(self, manifest: Manifest) -> OSError | None:
        """Sign if there is a key; returns the error if that failed."""
        try:
            if self.order.rig.key is not None:
                sign_before_sealing(self.folder, manifest, self.order.rig.key)
        except OSError as error:
            return error
        return None


def _start_row(order: Order, folder: Path, ledger: Ledger) -> LedgerRow:
    submission = order.entry.source.submission
    return ledger.append(
        "started",
        run_id=folder.name,
        workload=order.entry.workload.name,
        submission=submission.name,
        submission_sha256=submission.sha256,
        seed_commitment=order.seeds.commitment,
        bundle=folder.relative_to(order.rig.results.resolve()).as_posix(),
    )


def _make_run_folder(order: Order, machine: str, origin: Anchor) -> Path:
    names = (order.entry.workload.name, order.entry.source.submission.name, machine)
    parent = order.rig.results.resolve().joinpath(*names)
    while True:
        folder = parent / f"{utc_compact(origin.wall_ns)}-{secrets.token_hex(2)}"
        # A run of the same second draws the same name once in 65,536 times.
        if not folder.exists():
            make_folder(folder)
            return folder


def open_bundle(order: Order, machine: str) -> BundleWriter:
    """Create the folder, store the source, and enter the run into the ledger.

    Raises:
        SubmissionError: the frozen source was changed by an earlier run.
        LedgerError: the machine's ledger is damaged.
        OSError: the results folder cannot be written.
    """
    order.entry.source.check_unchanged()
    origin = anchor()
    results = order.rig.results.resolve()
    folder = _make_run_folder(order, machine, origin)
    try:
        write_file(folder / SOURCE, order.entry.source.archive)
        ledger = Ledger(results, machine)
        _finish_sealed(ledger, results)
        row = _start_row(order, folder, ledger)
    except BaseException:
        shutil.rmtree(folder)  # nothing has happened in it
        raise
    write_file(folder / README, README_TEXT.encode())
    write_file(folder / "ruleset.toml", as_toml(order.ruleset).encode())
    events = EventLog(folder / "events.jsonl", origin.monotonic_ns)
    return BundleWriter(order, machine, folder.name, folder, origin, events, ledger, row)


def _finish_sealed(ledger: Ledger, results: Path) -> None:
    """Close the rows of runs that were sealed and cut off before their row in the ledger.

    The manifest decides whether a run is complete; a run without one stays unfinished.
    """
    for row in ledger.unfinished():
        try:
            sealed = Bundle(results / row.bundle)
            manifest = sealed.manifest
        except BundleError:
            continue
        if (manifest.run_id, manifest.ledger_seq) == (row.run_id, row.seq):
            ledger.finish(row, manifest.status, sealed.manifest_sha256)
