"""Records of the seal: the manifest of a bundle, and the rows of a ledger."""

from typing import Literal

from harness.records.base import FORMAT, Record, Status


class ManifestFile(Record):
    """One file of the bundle."""

    path: str
    """Relative path with `/`."""
    size_bytes: int
    sha256: str


class Manifest(Record):
    """`manifest.json`: it is written last, so a bundle that has it is complete."""

    format: int = FORMAT
    run_id: str
    status: Status
    files: tuple[ManifestFile, ...]
    """Every file of the bundle except the manifest and its signature."""
    harness_version: str
    harness_sha256: str
    """Digest of the sources of the harness."""
    ledger_seq: int
    """Number of the ledger's row that started this run."""
    previous_manifest_sha256: str | None
    """SHA-256 of the previous manifest of this machine; None for the first."""


class LedgerRow(Record):
    """One line of a ledger; it contains the hash of the previous one."""

    format: int = FORMAT
    seq: int
    """Numbered from 0 without a gap."""
    utc: str
    kind: Literal["started", "finished", "foreign"]
    """`foreign`: a bundle was imported from another results folder."""
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
    """`hash` of the previous row; 64 zeros for the first."""
    hash: str
    """SHA-256 of the canonical JSON of the row without this key."""
