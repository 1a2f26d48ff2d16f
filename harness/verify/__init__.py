"""The independent checker of bundles and ledgers.

It has its own code for walking, hashing and parsing and shares only the record types with the code
that writes bundles, so that an error of the writer cannot hide itself. A bundle is checked against
itself and, in a results tree, against the ledger of its machine, which contains the hash of its
manifest.
"""

from harness.verify.report import (
    BadArchive,
    BadKey,
    BundleReport,
    CheckResult,
    LedgerReport,
    NothingToVerify,
    Report,
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
    "verify",
]
