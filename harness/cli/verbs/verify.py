"""`joulemark verify`: is a bundle, or a whole results tree, as it was sealed?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.cli.documents import BundleItem, CheckItem, VerifyDocument
    from harness.cli.page import Page
    from harness.verify import CheckResult, Report


def _checks(checks: "tuple[CheckResult, ...]") -> "tuple[CheckItem, ...]":
    from harness.cli.documents import CheckItem

    return tuple(
        CheckItem(rule=c.rule, verdict=c.verdict, message=c.message, file=c.file) for c in checks
    )


def document_of(report: "Report") -> "VerifyDocument":
    """The checker's report as a document."""
    from harness.cli.documents import BundleItem, LedgerItem, VerifyDocument

    bundles = tuple(
        BundleItem(
            bundle=bundle.bundle,
            state=bundle.state,
            run_id=bundle.run_id,
            status=bundle.status,
            ok=bundle.ok,
            checks=_checks(bundle.checks),
            signers=bundle.signers,
        )
        for bundle in report.bundles
    )
    ledgers = tuple(
        LedgerItem(
            ledger=ledger.ledger,
            rows_count=ledger.rows_count,
            head=ledger.head,
            unfinished=ledger.unfinished,
            ok=ledger.ok,
            checks=_checks(ledger.checks),
        )
        for ledger in report.ledgers
    )
    return VerifyDocument(
        root=str(report.root),
        kind=report.kind,
        ok=report.ok,
        hashed_bytes=report.bytes_count,
        bundles=bundles,
        ledgers=ledgers,
        checks=_checks(report.checks),
    )


def _show_checks(checks: "tuple[CheckItem, ...]", page: "Page") -> None:
    page.table(("check", "verdict", "what"), [(c.rule, c.verdict, c.message) for c in checks])


def _tally(checks: "tuple[CheckItem, ...]") -> str:
    counts = {v: sum(c.verdict == v for c in checks) for v in ("pass", "fail", "skip")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def _verdict(bundle: "BundleItem") -> str:
    """A bundle without a manifest is never ok, even where the ledger accounts for it."""
    if not bundle.ok:
        return "fail"
    return "ok" if bundle.state == "sealed" else "incomplete"


def _show_tree(document: "VerifyDocument", page: "Page") -> None:
    rows: list[tuple[str, ...]] = [
        (bundle.bundle, bundle.state, bundle.status, _verdict(bundle), _tally(bundle.checks))
        for bundle in document.bundles
    ]
    rows += [
        (ledger.ledger, "ledger", f"{ledger.rows_count} rows", "ok" if ledger.ok else "fail",
         _tally(ledger.checks))
        for ledger in document.ledgers
    ]  # fmt: skip
    page.table(("bundle or ledger", "state", "status", "verdict", "checks"), rows)


def _show_faults(report: "Report", page: "Page") -> None:
    for line in report.faults():
        page.line(f"fail: {line}", "red")
    for bundle in report.bundles:
        for check in bundle.checks:
            if check.verdict == "skip" and check.rule == "sealed":
                page.line(f"incomplete: {bundle.bundle}: {check.message}", "yellow")
    started = [place for ledger in report.ledgers for place in ledger.unfinished]
    if started:
        text = f"started and never finished, each counts as a failed run: {', '.join(started)}"
        page.line(text)


def _show(report: "Report", document: "VerifyDocument", page: "Page") -> None:
    if report.kind == "bundle":
        each = document.bundles[0]
        page.heading(f"{each.run_id}: {each.state}, status {each.status}")
        _show_checks(each.checks, page)
    else:
        _show_tree(document, page)
    page.line()
    _show_faults(report, page)
    failed = sum(not each.ok for each in report.bundles)
    cut = sum(each.ok and each.state == "incomplete" for each in report.bundles)
    verdict = "nothing failed" if report.ok else "not as it was sealed"
    noun = "bundle" if len(report.bundles) == 1 else "bundles"
    page.line(f"{len(report.bundles)} {noun}, {failed} failed, {cut} incomplete: {verdict}")


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path), default="results", metavar="[PATH]")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Public key by which every bundle must be signed.",
)
@answers
def COMMAND(path: Path, key: Path | None) -> Answer:  # noqa: N802 - the name by which verbs are found
    """Check a bundle, every bundle and ledger of a results tree (default: results), or an archive.

    Lists each check with its verdict; leaves with 3 where anything fails.
    """
    from harness.verify import verify

    report = verify(path, key)
    document = document_of(report)
    code = ExitCode.OK if report.ok else ExitCode.INVALID
    return Answer(document, lambda page: _show(report, document, page), code)
