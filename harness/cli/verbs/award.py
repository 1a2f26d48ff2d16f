"""`joulemark award`: the decision on a prize, written so that it can be published."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import folder_option, results_option, ruleset_options

if TYPE_CHECKING:
    from harness.cli.documents import AwardDocument
    from harness.cli.page import Page
    from harness.prizes import Prize
    from harness.records import Award


def _file_name(award: "Award") -> str:
    parts = (award.prize, award.workload, award.workload_version, award.machine, award.division)
    return "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts)


def _write(decisions: "Sequence[Award]", out: Path) -> list[Path]:
    from harness.prizes import markdown
    from harness.records import dump
    from harness.storage import write_file

    files = []
    for decision in decisions:
        for suffix, data in ((".json", dump(decision)), (".md", markdown(decision).encode())):
            path = out / f"{_file_name(decision)}{suffix}"
            write_file(path, data)
            files.append(path)
    return files


def _why_nothing(prize: "Prize", entries: int) -> str:
    """Why no entry of a folder can be decided on."""
    if not entries:
        return "no readable bundle here"
    if prize.compares == "machines":
        return (
            "machines compete with the workload's reference, or with one entry of the hardware "
            "division, and no two machines here ran the same version of one"
        )
    count = f"{entries} entr{'y' if entries == 1 else 'ies'}"
    return f"no {prize.mode} score among the {count} here"


def _show(document: "AwardDocument", page: "Page") -> None:
    for decision in document.decisions:
        division = f", {decision.division} division" if decision.division else ""
        where = f"{decision.workload}, {decision.machine}, rules {decision.ruleset}{division}"
        page.heading(f"{decision.title} on {where}")
        page.line(f"{decision.outcome}: {decision.reason}", indent=2)
        for other in decision.not_ranked:
            page.line(f"no place: {other.submission}: {other.reason}", indent=2)
        for shaken in decision.sensitivity:
            verdict = "holds" if shaken.holds else f"{shaken.leader} leads then"
            verdict = "cannot be told" if shaken.holds is None else verdict
            note = f" ({shaken.note})" if shaken.note else ""
            page.line(f"{shaken.variation}: {verdict}{note}", indent=2)
    if not document.decisions:
        page.line(f"nothing to decide on: {document.nothing}")
    for finding in document.findings:
        page.line(f"{finding.level}: {finding.message}", "yellow")
    for path in document.files:
        page.line(f"wrote {path}")


@click.command("award")
@click.argument("prize")
@results_option
@ruleset_options("default")
@folder_option("--out", default="awards", text="Folder for the decision records.")
@answers
def COMMAND(  # noqa: N802
    prize: str, results: Path, ruleset: str, overrides: tuple[str, ...], out: Path
) -> Answer:
    """Decide on PRIZE (energy, speed ...) for each workload and machine below --results.

    Writes a record as JSON and as Markdown: the rules, who has a place and who has none and why,
    the tests, the ties, what the lead hangs on, and the hash of every bundle.
    """
    from harness.cli.documents import AwardDocument
    from harness.prizes import awards
    from harness.registry import find
    from harness.rules.load import load_ruleset
    from harness.score.score import score_all

    plugin, rules = find("prizes", prize).value, load_ruleset(ruleset, overrides)
    found = score_all(results, rules)
    decisions = awards(found.scores, plugin, rules, results)
    entries = len(found.scores)
    document = AwardDocument(
        prize=prize,
        ruleset=rules.name,
        decisions=tuple(decisions),
        files=tuple(str(path) for path in _write(decisions, out)),
        findings=tuple(found.findings),
        nothing="" if decisions else _why_nothing(plugin, entries),
    )
    return Answer(document, lambda page: _show(document, page))
