"""`joulemark verify`: check that bundles and ledgers are unchanged since they were sealed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import PATH
from harness.cli.printer import Printer
from harness.errors import ExitCode
from harness.verify import Report, verify
from harness.verify.report import BundleReport, CheckResult, LedgerReport


class VerifyDocument(Document):
    """`joulemark verify`."""

    root: str
    kind: Literal["bundle", "tree"]
    ok: bool
    hashed_bytes: int
    bundles: tuple[BundleReport, ...]
    ledgers: tuple[LedgerReport, ...]
    checks: tuple[CheckResult, ...]
    """Checks of the tree as a whole."""


def _counts(checks: Sequence[CheckResult]) -> str:
    counts = {v: sum(check.verdict == v for check in checks) for v in ("pass", "fail", "skip")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def _verdict(bundle: BundleReport) -> str:
    """Return the verdict on a bundle; without a manifest it is never `ok`."""
    if not bundle.ok:
        return "fail"
    return "ok" if bundle.state == "sealed" else "incomplete"


def _show(report: Report, printer: Printer) -> None:
    if report.kind == "bundle":
        (bundle,) = report.bundles
        printer.heading(f"{bundle.run_id}: {bundle.state}, status {bundle.status}")
        rows = [(check.rule, check.verdict, check.message) for check in bundle.checks]
        printer.table(("check", "verdict", "message"), rows)
    else:
        places: list[tuple[str, ...]] = [
            (bundle.bundle, bundle.state, bundle.status, _verdict(bundle), _counts(bundle.checks))
            for bundle in report.bundles
        ]
        for ledger in report.ledgers:
            size, verdict = f"{ledger.rows_count} rows", "ok" if ledger.ok else "fail"
            places.append((ledger.ledger, "ledger", size, verdict, _counts(ledger.checks)))
        printer.table(("bundle or ledger", "state", "status", "verdict", "checks"), places)
    printer.line()
    for line in report.failures():
        printer.line(f"fail: {line}", "red")
    for bundle in report.bundles:
        for check in bundle.checks:
            if check.verdict == "skip" and check.rule == "sealed":
                printer.line(f"incomplete: {bundle.bundle}: {check.message}", "yellow")
    started = [place for ledger in report.ledgers for place in ledger.unfinished]
    if started:
        printer.line(f"started and never finished, counted as failed runs: {', '.join(started)}")
    verdicts = [_verdict(bundle) for bundle in report.bundles]
    conclusion = "nothing failed" if report.ok else "changed after it was sealed"
    printer.line(
        f"{len(verdicts)} bundle{'' if len(verdicts) == 1 else 's'}, {verdicts.count('fail')} "
        f"failed, {verdicts.count('incomplete')} incomplete: {conclusion}"
    )


@json_command("verify")
@click.argument("path", type=PATH, default="results", metavar="[PATH]")
@click.option(
    "--key",
    type=PATH,
    metavar="FILE",
    help="Public key that must have signed every bundle.",
)
def command(path: Path, key: Path | None) -> CommandResult:
    """Check a bundle, a results folder (default: results) or an archive of bundles.

    Lists each check with its verdict. Exits with 3 if a check fails.
    """
    report = verify(path, key)
    document = VerifyDocument(
        root=str(report.root),
        kind=report.kind,
        ok=report.ok,
        hashed_bytes=report.bytes_count,
        bundles=report.bundles,
        ledgers=report.ledgers,
        checks=report.checks,
    )
    code = ExitCode.OK if report.ok else ExitCode.INVALID
    return CommandResult(document, lambda _, printer: _show(report, printer), code)
