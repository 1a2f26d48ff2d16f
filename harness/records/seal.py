"""Records of the seal: the manifest of a bundle and the rows of a machine's ledger."""

from typing import Literal

from harness.records.base import FORMAT, Record, Status


class ManifestFile(Record):
    """One file of the bundle."""

    path: str
    """Relative, POSIX."""
    size_bytes: int
    sha256: str


class Manifest(Record):
    """`manifest.json`: written last, so that its existence means a complete bundle."""

    format: int = FORMAT
    run_id: str
    status: Status
    files: tuple[ManifestFile, ...]
    """Every file of the bundle but the manifest and its signature."""
    harness_version: str
    harness_sha256: str
    """Digest over the harness's own sources."""
    ledger_seq: int
    """Row of the machine's ledger that opened this run."""
    previous_manifest_sha256: str | None
    """Manifest of the run before on this machine."""


class LedgerRow(Record):
    """One line of a machine's ledger: append-only, each row chained to the one before."""

    format: int = FORMAT
    seq: int
    """From 0, without a gap."""
    utc: str
    kind: Literal["started", "finished", "foreign"]
    """`foreign`: a bundle of another results folder came in, checked and whole."""
    run_id: str
    workload: str
    submission: str
    submission_sha256: str
    seed_commitment: str
    bundle: str
    """Folder of the bundle, relative to the results folder."""
    status: Status | None = None
    """None in a `started` row."""
    manifest_sha256: str | None = None
    """None in a `started` row."""
    previous: str
    """`hash` of the row before; 64 zeros for the first."""
    hash: str
    """SHA-256 over the row's canonical JSON without this key."""
