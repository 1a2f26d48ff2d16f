"""`joulemark award`: decide on a prize and write the decision record."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from harness.bundle import Bundle
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import folder_option, results_option, ruleset_options
from harness.cli.printer import Printer
from harness.errors import ExitCode, JouleMarkError
from harness.ledger import results_folder
from harness.prizes import Prize, awards, markdown
from harness.records import Award, Finding, Ruleset, dump
from harness.registry import find
from harness.score.score import score_all
from harness.storage import write_file
from harness.verify import NothingToVerify, verify

FAULTS_SHOWN = 10


class AwardDocument(Document):
    """`joulemark award`."""

    prize: str
    ruleset: str
    decisions: tuple[Award, ...]
    """One for each workload version and machine."""
    files: tuple[str, ...]
    """Records that were written: JSON and Markdown of each decision."""
    nothing: str = ""
    """Why there is no decision; empty if there is one."""
    findings: tuple[Finding, ...]
    """About bundles and runs that are in no score."""


class UnverifiedEvidence(JouleMarkError, ValueError):
    """Bundles or ledgers that no decision can rest on; the message lists them."""

    exit_code = ExitCode.GATE


def check_evidence(results: Path, ruleset: Ruleset, key: Path | None) -> None:
    """Verify the bundles and ledgers below a folder before a decision rests on them.

    Where the ruleset asks for a witness or the organizer, a run that claims one has to be signed by
    the organizer's key, since everybody can write that word into a bundle.

    Raises:
        UnverifiedEvidence: a check failed, or such a run is not signed by the key.
        BadKey: the key cannot be used.
    """
    root, folder = results_folder(results), results.resolve()
    try:
        report = verify(root, key)
    except NothingToVerify:
        return
    bundles = tuple(
        bundle
        for bundle in report.bundles
        if (root / bundle.bundle).resolve().is_relative_to(folder)
    )
    failures = replace(report, bundles=bundles).failures()
    faults = [fault for fault in failures if ": signature: " not in fault]
    if not faults and "self" not in ruleset.score.provenance:
        for bundle in bundles:
            signed = any(
                (check.rule, check.verdict) == ("signature", "pass") for check in bundle.checks
            )
            claims = bundle.state == "sealed" and Bundle(root / bundle.bundle).run.provenance
            if claims in ruleset.score.provenance and not (key and signed):
                faults.append(
                    f"{bundle.bundle}: its provenance is {claims!r} and no key given by --key "
                    "signed it"
                )
    if faults:
        shown = "\n  ".join(faults[:FAULTS_SHOWN])
        more = f"\n  and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise UnverifiedEvidence(
            f"{results}: no decision is made on evidence that does not pass `joulemark verify`:"
            f"\n  {shown}{more}"
        )


def _write(decisions: Sequence[Award], out: Path) -> list[Path]:
    files = []
    for award in decisions:
        board = award.board
        version = (board.workload, board.workload_version)
        parts = (award.prize, *version, board.machine, board.division)
        name = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts)
        for suffix, data in ((".json", dump(award)), (".md", markdown(award).encode())):
            files.append(out / f"{name}{suffix}")
            write_file(files[-1], data)
    return files


def _explain_empty(prize: Prize, count: int) -> str:
    """Return why there is nothing to decide on."""
    if not count:
        return "no readable bundle here"
    if prize.compares == "machines":
        return (
            "machines compete with the workload's reference, or with one entry of the hardware "
            "division, and no two machines here ran the same version of one"
        )
    return f"no {prize.mode} score among the {count} entr{'y' if count == 1 else 'ies'} here"


def _show(document: AwardDocument, printer: Printer) -> None:
    for award in document.decisions:
        board = award.board
        division = f", {board.division} division" if board.division else ""
        where = f"{board.workload}, {board.machine}, rules {board.ruleset}{division}"
        printer.heading(f"{award.title} on {where}")
        printer.line(f"{award.outcome}: {award.reason}", indent=2)
        for other in board.unranked:
            printer.line(f"not ranked: {other.entry.submission}: {other.reason}", indent=2)
        for check in award.sensitivity:
            result = "unchanged" if check.holds else f"then {check.leader} leads"
            result = "unknown" if check.holds is None else result
            note = f" ({check.note})" if check.note else ""
            printer.line(f"{check.variation}: {result}{note}", indent=2)
    if not document.decisions:
        printer.line(f"nothing to decide on: {document.nothing}")
    printer.findings(document.findings)
    for path in document.files:
        printer.line(f"wrote {path}")


@json_command("award")
@click.argument("prize")
@results_option
@ruleset_options("default")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Public key of the organizer, which signed the runs that a prize asks for.",
)
@folder_option("--out", default="awards", text="Folder for the decision records.")
def command(
    prize: str, results: Path, ruleset: Ruleset, key: Path | None, out: Path
) -> CommandResult:
    """Decide on PRIZE (energy, speed ...) for each workload and machine below --results.

    The bundles and ledgers are verified first; on any fault there is no decision (exit code 4).
    Runs by a witness or the organizer count only if the key of --key signed them.

    Writes a record as JSON and as Markdown: the rules, the ranked entries, why others are not
    ranked, the tests, the ties, the sensitivity checks, and the hash of every bundle.
    """
    plugin = find("prizes", prize).value
    check_evidence(results, ruleset, key)
    scored = score_all(results, ruleset)
    decisions = awards(scored.scores, plugin, ruleset, results)
    document = AwardDocument(
        prize=prize,
        ruleset=ruleset.name,
        decisions=tuple(decisions),
        files=tuple(str(path) for path in _write(decisions, out)),
        findings=tuple(scored.findings),
        nothing="" if decisions else _explain_empty(plugin, len(scored.scores)),
    )
    return CommandResult(document, _show)
