"""`joulemark award`: decide on a prize and write the decision record."""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import folder_option, results_option, ruleset_options
from harness.cli.printer import Printer
from harness.prizes import Prize, awards, markdown
from harness.records import Award, Finding, Ruleset, dump
from harness.registry import find
from harness.score.score import score_all
from harness.storage import write_file


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


def _write(decisions: Sequence[Award], out: Path) -> list[Path]:
    files = []
    for award in decisions:
        board = award.board
        parts = (
            award.prize, board.workload, board.workload_version, board.machine, board.division,
        )  # fmt: skip
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


def _show_decision(award: Award, printer: Printer) -> None:
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


def _show(document: AwardDocument, printer: Printer) -> None:
    for award in document.decisions:
        _show_decision(award, printer)
    if not document.decisions:
        printer.line(f"nothing to decide on: {document.nothing}")
    printer.findings(document.findings)
    for path in document.files:
        printer.line(f"wrote {path}")


@json_command("award")
@click.argument("prize")
@results_option
@ruleset_options("default")
@folder_option("--out", default="awards", text="Folder for the decision records.")
def command(prize: str, results: Path, ruleset: Ruleset, out: Path) -> CommandResult:
    """Decide on PRIZE (energy, speed ...) for each workload and machine below --results.

    Writes a record as JSON and as Markdown: the rules, the ranked entries, why others are not
    ranked, the tests, the ties, the sensitivity checks, and the hash of every bundle.
    """
    plugin = find("prizes", prize).value
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
    return CommandResult(document, lambda printer: _show(document, printer))
