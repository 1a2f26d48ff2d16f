"""Checks of a machine's ledger, and of a bundle against it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.records import LedgerRow
from harness.verify.disk import Unreadable, exists, read
from harness.verify.reader import MANIFEST, BundleReader
from harness.verify.report import CheckResult, LedgerReport, Problem, SkipCheck, run_check
from harness.verify.strict import lines_of, record_of, tree_of

GENESIS = "0" * 64
FOREIGN = "foreign"
"""Ledger of the bundles that came from elsewhere."""


@dataclass(frozen=True)
class LedgerLine:
    """One line of a ledger, as it stands and as it reads."""

    where: str
    data: bytes
    row: LedgerRow


class LedgerReader:
    """One machine's ledger; reading it raises `Unreadable` where it cannot be read at all."""

    def __init__(self, results: Path, file: str) -> None:
        """The ledger `file`, relative to the results folder."""
        self.results = results
        self.file = file

    @cached_property
    def lines(self) -> tuple[LedgerLine, ...]:
        """All rows."""
        data = read(self.results, self.file)
        rows = []
        for number, line in enumerate(lines_of(data, self.file), 1):
            where = f"{self.file}:{number}"
            rows.append(LedgerLine(where, line, record_of(LedgerRow, line, where)))
        return tuple(rows)

    @property
    def rows(self) -> tuple[LedgerRow, ...]:
        """The rows without their text."""
        return tuple(line.row for line in self.lines)

    def finished(self, run_id: str) -> LedgerRow | None:
        """The row that closed a run."""
        return next((r for r in self.rows if r.kind == "finished" and r.run_id == run_id), None)

    def foreign(self, place: str) -> LedgerRow | None:
        """The row by which a bundle came in from elsewhere to a place."""
        return next((r for r in self.rows if r.kind == "foreign" and r.bundle == place), None)

    def started(self) -> list[LedgerRow]:
        """Rows that opened a run."""
        return [row for row in self.rows if row.kind == "started"]


def digest_of(data: bytes, where: str) -> str:
    """SHA-256 of a row as JSON with sorted keys and no spaces, without its `hash`."""
    tree = tree_of(data, where)
    tree.pop("hash", None)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def readable(chain: LedgerReader) -> Iterator[Problem]:
    """Every line is a whole, valid row."""
    try:
        _ = chain.lines
    except Unreadable as error:
        yield Problem(error.file, str(error))


def written_form(chain: LedgerReader) -> Iterator[Problem]:
    """Every line is byte for byte what the row is written as: sorted keys, one space each."""
    for line in chain.lines:
        text = json.dumps(tree_of(line.data, line.where), sort_keys=True)
        if text.encode("ascii") != line.data:
            yield Problem(line.where, "is not in the form in which rows are written")


def hashes(chain: LedgerReader) -> Iterator[Problem]:
    """Each row's hash is that of its contents."""
    for line in chain.lines:
        if digest_of(line.data, line.where) != line.row.hash:
            yield Problem(line.where, "the row's hash does not match its contents")


def order(chain: LedgerReader) -> Iterator[Problem]:
    """Rows are numbered from 0 without a gap, and each names the hash of the one before."""
    previous = GENESIS
    for position, line in enumerate(chain.lines):
        if line.row.seq != position:
            yield Problem(line.where, f"row {line.row.seq} where {position} should be")
        if line.row.previous != previous:
            yield Problem(line.where, "does not follow the row before it")
        previous = line.row.hash


def pairs(chain: LedgerReader) -> Iterator[Problem]:
    """Each run is started once and finished at most once, later, as what it was started.

    What came from elsewhere was neither started nor finished here, and stands in a ledger apart.
    """
    opened: dict[str, LedgerRow] = {}
    closed: set[str] = set()
    for line in chain.lines:
        row = line.row
        if (row.kind == "foreign") != (Path(chain.file).stem == FOREIGN):
            yield Problem(line.where, f"a row of kind {row.kind} in this ledger")
        if row.kind == "foreign":
            continue
        if row.kind == "started":
            if row.run_id in opened:
                yield Problem(line.where, f"run {row.run_id} is started twice")
            opened[row.run_id] = row
            continue
        before = opened.get(row.run_id)
        if before is None or row.run_id in closed or _what(before) != _what(row):
            yield Problem(line.where, f"run {row.run_id} is finished without being started as such")
        closed.add(row.run_id)


def _what(row: LedgerRow) -> tuple[str, ...]:
    """What must be the same in both rows of a run."""
    return (row.workload, row.submission, row.submission_sha256, row.seed_commitment, row.bundle)


def bundles(chain: LedgerReader) -> Iterator[Problem]:
    """Every bundle that was sealed is still there."""
    for line in chain.lines:
        sealed = line.row.kind != "started" and line.row.manifest_sha256 is not None
        if sealed and not _present(chain.results, line.row.bundle):
            yield Problem(line.where, f"the bundle {line.row.bundle!a} is missing")


def _present(results: Path, bundle: str) -> bool:
    """Whether a manifest lies at that very place, below the results folder and behind no link."""
    place = (results / bundle / MANIFEST).resolve()
    return place == results.resolve() / bundle / MANIFEST and exists(
        results, f"{bundle}/{MANIFEST}"
    )


CHECKS = (
    ("ledger-readable", readable),
    ("ledger-form", written_form),
    ("ledger-hashes", hashes),
    ("ledger-chain", order),
    ("ledger-pairs", pairs),
    ("ledger-bundles", bundles),
)


def _run_checks(chain: LedgerReader) -> Iterator[CheckResult]:
    first = run_check("ledger-readable", readable(chain))
    yield first
    for rule, check in CHECKS[1:]:
        if first.verdict == "pass":
            yield run_check(rule, check(chain))
        else:
            yield CheckResult(rule, "skip", "the ledger cannot be read")


def report_on(chain: LedgerReader) -> LedgerReport:
    """All checks of one ledger."""
    checks = tuple(_run_checks(chain))
    rows = chain.rows if checks[0].verdict == "pass" else ()
    done = {row.run_id for row in rows if row.kind == "finished"}
    return LedgerReport(
        ledger=chain.file,
        rows_count=len(rows),
        head=rows[-1].hash if rows else GENESIS,
        unfinished=tuple(
            row.bundle for row in rows if row.kind == "started" and row.run_id not in done
        ),
        checks=checks,
    )


# --- a bundle against the ledger ----------------------------------------------------------------


def _is_home(bundle: BundleReader, place: str) -> bool:
    """Whether a bundle lies where its run put it: then the ledger's place is known, too."""
    run = bundle.run
    workload, _, rest = place.partition("/")
    submission, _, rest = rest.partition("/")
    names = (workload, submission, rest.partition("/")[2])
    return names == (run.workload.name, run.submission.name, run.id)


def witnessed(
    bundle: BundleReader, chain: LedgerReader | None, place: str, *, missing: bool = False
) -> Iterator[Problem]:
    """The ledger's rows of this run say what the bundle says, and name this very manifest.

    Args:
        bundle: What is examined.
        chain: Its machine's ledger; None where none can be used.
        place: The bundle's folder below the results folder.
        missing: No such ledger is in the results folder, nor was the bundle let in as foreign.
    """
    if missing and _is_home(bundle, place):
        machine = place.split("/")[-2]
        text = "is missing, so nobody can tell which runs were left out"
        yield Problem(f"ledgers/{machine}.jsonl", text)
        return
    if chain is None:
        raise SkipCheck("no ledger of this machine lies here, so nothing witnesses the manifest")
    manifest, run = bundle.manifest, bundle.run
    rows = chain.rows
    opened = rows[manifest.ledger_seq] if 0 <= manifest.ledger_seq < len(rows) else None
    if opened is None or (opened.kind, opened.run_id) != ("started", manifest.run_id):
        yield Problem(MANIFEST, f"row {manifest.ledger_seq} of the ledger did not start this run")
        return
    stated = (
        run.workload.name,
        run.submission.name,
        run.submission.sha256,
        run.seeds.commitment,
        place,
    )
    if _what(opened) != stated:
        yield Problem("run.json", f"is not what row {opened.seq} of the ledger started")
    yield from _closing_row(bundle, chain)


def _closing_row(bundle: BundleReader, chain: LedgerReader) -> Iterator[Problem]:
    """The row that was written after the seal."""
    manifest = bundle.manifest
    closed = chain.finished(manifest.run_id)
    if closed is None:
        yield Problem(
            chain.file, f"has no row that finishes run {manifest.run_id}, which is sealed"
        )
        return
    if closed.manifest_sha256 != bundle.fingerprint(MANIFEST).sha256:
        yield Problem(MANIFEST, f"its SHA-256 is not the one in row {closed.seq} of the ledger")
    if closed.status != manifest.status:
        yield Problem(MANIFEST, f"status {manifest.status}, the ledger says {closed.status}")


def admitted(bundle: BundleReader, row: LedgerRow) -> Iterator[Problem]:
    """A bundle from elsewhere is the one that was let in."""
    where = f"row {row.seq} of the ledger {FOREIGN}"
    if row.manifest_sha256 != bundle.fingerprint(MANIFEST).sha256:
        yield Problem(MANIFEST, f"its SHA-256 is not the one in {where}")
    told = (bundle.manifest.run_id, bundle.manifest.status)
    if told != (row.run_id, row.status):
        yield Problem(MANIFEST, f"run {told[0]} with status {told[1]}, {where} says otherwise")


def follows(bundle: BundleReader, chain: LedgerReader | None) -> Iterator[Problem]:
    """The manifest names the manifest that was sealed before it on this machine."""
    if chain is None:
        raise SkipCheck("no ledger of this machine lies here")
    manifest = bundle.manifest
    sealed = [row for row in chain.rows if row.manifest_sha256 and row.run_id != manifest.run_id]
    before = [row.manifest_sha256 for row in sealed if row.seq < manifest.ledger_seq]
    if manifest.previous_manifest_sha256 != (before[-1] if before else None):
        yield Problem(MANIFEST, "names another manifest as the previous one than the ledger does")
