"""The independent checker of bundles and ledgers: its own walking, hashing and parsing.

It shares no code with what writes a bundle but the record types, so that a fault of the writer
cannot hide itself. A folder alone is checked against itself; within a results tree also against
the machine's ledger, which witnesses the manifest.
"""

from harness.verify.report import (
    BadArchive,
    BadKey,
    BundleReport,
    CheckResult,
    LedgerReport,
    NothingToVerify,
    Report,
    Verdict,
)
from harness.verify.tree import verify

__all__ = [
    "BadArchive",
    "BadKey",
    "BundleReport",
    "CheckResult",
    "LedgerReport",
    "NothingToVerify",
    "Report",
    "Verdict",
    "verify",
]
