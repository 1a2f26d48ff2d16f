"""Checks of the ledger of a machine, and of a bundle against it."""

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
"""Name of the ledger of imported bundles."""


@dataclass(frozen=True)
class LedgerLine:
    """One line of a ledger: its bytes and its row."""

    where: str
    data: bytes
    row: LedgerRow


class LedgerReader:
    """The ledger of one machine; `lines` raises `Unreadable` if it cannot be read."""

    def __init__(self, results: Path, file: str) -> None:
        """Name the ledger `file`, relative to the results folder."""
        self.results = results
        self.file = file

    @cached_property
    def lines(self) -> tuple[LedgerLine, ...]:
        """All lines."""
        data = read(self.results, self.file)
        rows = []
        for number, line in enumerate(lines_of(data, self.file), 1):
            where = f"{self.file}:{number}"
            rows.append(LedgerLine(where, line, record_of(LedgerRow, line, where)))
        return tuple(rows)

    @property
    def rows(self) -> tuple[LedgerRow, ...]:
        """All rows."""
        return tuple(line.row for line in self.lines)

    def finished(self, run_id: str) -> LedgerRow | None:
        """The row that finished a run."""
        return next((r for r in self.rows if r.kind == "finished" and r.run_id == run_id), None)

    def foreign(self, place: str) -> LedgerRow | None:
        """The row of a bundle that was imported to a path."""
        return next((r for r in self.rows if r.kind == "foreign" and r.bundle == place), None)

    def started(self) -> list[LedgerRow]:
        """The rows that started runs."""
        return [row for row in self.rows if row.kind == "started"]


def digest_of(data: bytes, where: str) -> str:
    """SHA-256 of a row without its `hash`, as JSON with sorted keys and no spaces."""
    tree = tree_of(data, where)
    tree.pop("hash", None)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def readable(ledger: LedgerReader) -> Iterator[Problem]:
    """Every line is a complete, valid row."""
    try:
        _ = ledger.lines
    except Unreadable as error:
        yield Problem(error.file, str(error))


def written_form(ledger: LedgerReader) -> Iterator[Problem]:
    """Every line is in the form in which rows are written, byte for byte."""
    for line in ledger.lines:
        text = json.dumps(tree_of(line.data, line.where), sort_keys=True)
        if text.encode("ascii") != line.data:
            yield Problem(line.where, "is not in the form in which rows are written")


def hashes(ledger: LedgerReader) -> Iterator[Problem]:
    """The hash of every row is that of its contents."""
    for line in ledger.lines:
        if digest_of(line.data, line.where) != line.row.hash:
            yield Problem(line.where, "the row's hash does not match its contents")


def order(ledger: LedgerReader) -> Iterator[Problem]:
    """Rows are numbered from 0 without a gap, and each contains the hash of the previous one."""
    previous = GENESIS
    for position, line in enumerate(ledger.lines):
        if line.row.seq != position:
            yield Problem(line.where, f"row {line.row.seq} instead of {position}")
        if line.row.previous != previous:
            yield Problem(line.where, "does not contain the hash of the previous row")
        previous = line.row.hash


def pairs(ledger: LedgerReader) -> Iterator[Problem]:
    """Every run is started once and finished at most once, later, with the same statements.

    Imported bundles were neither started nor finished here, and have a ledger of their own.
    """
    started: dict[str, LedgerRow] = {}
    finished: set[str] = set()
    for line in ledger.lines:
        row = line.row
        if (row.kind == "foreign") != (Path(ledger.file).stem == FOREIGN):
            yield Problem(line.where, f"a row of kind {row.kind} in this ledger")
        if row.kind == "foreign":
            continue
        if row.kind == "started":
            if row.run_id in started:
                yield Problem(line.where, f"run {row.run_id} is started twice")
            started[row.run_id] = row
            continue
        start = started.get(row.run_id)
        if start is None or row.run_id in finished or _statements(start) != _statements(row):
            yield Problem(line.where, f"run {row.run_id} is finished without being started as such")
        finished.add(row.run_id)


def _statements(row: LedgerRow) -> tuple[str, ...]:
    """The fields that must be the same in both rows of a run."""
    return (row.workload, row.submission, row.submission_sha256, row.seed_commitment, row.bundle)


def bundles(ledger: LedgerReader) -> Iterator[Problem]:
    """Every sealed bundle still exists."""
    for line in ledger.lines:
        sealed = line.row.kind != "started" and line.row.manifest_sha256 is not None
        if sealed and not _exists(ledger.results, line.row.bundle):
            yield Problem(line.where, f"the bundle {line.row.bundle!a} is missing")


def _exists(results: Path, bundle: str) -> bool:
    """Whether the manifest of a bundle exists below the results folder, without any link."""
    root, path = results.resolve(), Path(bundle, MANIFEST)
    in_place = (root / path).resolve() == root / path and not path.is_absolute()
    return in_place and exists(results, str(path))


CHECKS = (
    ("ledger-readable", readable),
    ("ledger-form", written_form),
    ("ledger-hashes", hashes),
    ("ledger-chain", order),
    ("ledger-pairs", pairs),
    ("ledger-bundles", bundles),
)


def _run_checks(ledger: LedgerReader) -> Iterator[CheckResult]:
    first = run_check("ledger-readable", readable(ledger))
    yield first
    for rule, check in CHECKS[1:]:
        if first.verdict == "pass":
            yield run_check(rule, check(ledger))
        else:
            yield CheckResult(rule, "skip", "the ledger cannot be read")


def report_on(ledger: LedgerReader) -> LedgerReport:
    """Make all checks of one ledger."""
    checks = tuple(_run_checks(ledger))
    rows = ledger.rows if checks[0].verdict == "pass" else ()
    finished = {row.run_id for row in rows if row.kind == "finished"}
    return LedgerReport(
        ledger=ledger.file,
        rows_count=len(rows),
        head=rows[-1].hash if rows else GENESIS,
        unfinished=tuple(
            row.bundle for row in rows if row.kind == "started" and row.run_id not in finished
        ),
        checks=checks,
    )


# --- a bundle against the ledger ----------------------------------------------------------------


def _is_in_place(bundle: BundleReader, place: str) -> bool:
    """Whether a bundle is where its run was stored, so that its ledger should be there too."""
    run = bundle.run
    parts = place.split("/", 3)
    names = [run.workload.name, run.submission.name, run.id]
    return [*parts[:2], *parts[3:]] == names


def witnessed(
    bundle: BundleReader, ledger: LedgerReader | None, place: str, *, missing: bool = False
) -> Iterator[Problem]:
    """The rows of this run in the ledger agree with the bundle and contain the manifest's hash.

    Args:
        bundle: The bundle to check.
        ledger: The ledger of its machine; None if there is no usable one.
        place: The bundle's folder below the results folder.
        missing: Whether the results folder has no ledger of the machine, and the bundle was not
            imported.
    """
    if missing and _is_in_place(bundle, place):
        machine = place.split("/")[-2]
        text = "is missing, so it is unknown which runs were left out"
        yield Problem(f"ledgers/{machine}.jsonl", text)
        return
    if ledger is None:
        raise SkipCheck("there is no ledger of this machine to check the manifest against")
    manifest, run = bundle.manifest, bundle.run
    rows = ledger.rows
    start = rows[manifest.ledger_seq] if 0 <= manifest.ledger_seq < len(rows) else None
    if start is None or (start.kind, start.run_id) != ("started", manifest.run_id):
        yield Problem(MANIFEST, f"row {manifest.ledger_seq} of the ledger did not start this run")
        return
    stated = (
        run.workload.name,
        run.submission.name,
        run.submission.sha256,
        run.seeds.commitment,
        place,
    )
    if _statements(start) != stated:
        yield Problem("run.json", f"differs from row {start.seq} of the ledger, which started it")
    yield from _finishing_row(bundle, ledger)


def _finishing_row(bundle: BundleReader, ledger: LedgerReader) -> Iterator[Problem]:
    """The row that was written after the seal agrees with the manifest."""
    manifest = bundle.manifest
    finish = ledger.finished(manifest.run_id)
    if finish is None:
        yield Problem(
            ledger.file, f"has no row that finishes run {manifest.run_id}, which is sealed"
        )
        return
    if finish.manifest_sha256 != bundle.fingerprint(MANIFEST).sha256:
        yield Problem(MANIFEST, f"its SHA-256 is not the one in row {finish.seq} of the ledger")
    if finish.status != manifest.status:
        yield Problem(MANIFEST, f"status {manifest.status}, the ledger says {finish.status}")


def imported(bundle: BundleReader, row: LedgerRow) -> Iterator[Problem]:
    """The row of an imported bundle agrees with its manifest."""
    where = f"row {row.seq} of the ledger {FOREIGN}"
    if row.manifest_sha256 != bundle.fingerprint(MANIFEST).sha256:
        yield Problem(MANIFEST, f"its SHA-256 is not the one in {where}")
    run_id, status = bundle.manifest.run_id, bundle.manifest.status
    if (run_id, status) != (row.run_id, row.status):
        yield Problem(MANIFEST, f"run {run_id} with status {status} differs from {where}")


def previous_manifest(bundle: BundleReader, ledger: LedgerReader | None) -> Iterator[Problem]:
    """The manifest contains the hash of the previous manifest of this machine."""
    if ledger is None:
        raise SkipCheck("there is no ledger of this machine")
    manifest = bundle.manifest
    sealed = [row for row in ledger.rows if row.manifest_sha256 and row.run_id != manifest.run_id]
    before = [row.manifest_sha256 for row in sealed if row.seq < manifest.ledger_seq]
    if manifest.previous_manifest_sha256 != (before[-1] if before else None):
        yield Problem(MANIFEST, "names another previous manifest than the ledger")
