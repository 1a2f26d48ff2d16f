"""`joulemark demo`: the whole way once, from training to the page, on the smallest workload."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import folder_option

if TYPE_CHECKING:
    from harness.cli.documents import DemoDocument, RunDocument
    from harness.cli.page import Page
    from harness.records import Ruleset

WORKLOAD = "digits-mlp"
RULESET = "smoke"


def entrants(workload: str) -> list[str]:
    """Listed submissions that are meant for a workload."""
    from harness.registry import Plugin, discover
    from harness.run.submission import SubmissionError, open_submission

    names = []
    for found in discover("submissions"):
        if isinstance(found, Plugin):
            try:
                source = open_submission(found.name)
            except SubmissionError:
                continue  # `joulemark list submissions` tells what is wrong with it
            if workload in source.file.workloads:
                names.append(found.name)
    return names


def _series(name: str, ruleset: "Ruleset", results: Path) -> "RunDocument":
    from harness.cli.display import display_for
    from harness.run.series import SeriesRequest, run_series

    request = SeriesRequest(workload=WORKLOAD, submission=name, ruleset=ruleset, results=results)
    with display_for(f"{WORKLOAD}, {name}") as display:
        outcomes = run_series(request, display)
    from harness.cli.series import document_of

    return document_of(outcomes, ruleset, results)


def _show(document: "DemoDocument", page: "Page") -> None:
    from harness.cli import boards, series

    for item in document.series:
        series.show(item, page)
        page.line()
    boards.show(document.scores, page)
    page.line()
    page.line(f"open {document.report.index}")


@click.command("demo")
@folder_option("--results", default="results", text="Folder of bundles and ledgers.")
@folder_option("--out", default="reports", text="Folder of the site.")
@answers
def COMMAND(results: Path, out: Path) -> Answer:  # noqa: N802 - the name by which verbs are found
    """Run every reference submission of the smallest workload, rank them, and render the site."""
    from harness.cli.boards import scores_below
    from harness.cli.documents import DemoDocument
    from harness.cli.series import worst
    from harness.cli.site import render_site
    from harness.errors import ExitCode
    from harness.rules.load import load_ruleset

    ruleset = load_ruleset(RULESET)
    done: list[RunDocument] = []
    for name in entrants(WORKLOAD):
        done.append(_series(name, ruleset, results))
        if done[-1].exit_code == ExitCode.INTERRUPTED:
            break
    code = worst(item.exit_code for item in done)
    document = DemoDocument(
        series=tuple(done),
        scores=scores_below(results, None),
        report=render_site(results, out, None),
        exit_code=code,
    )
    return Answer(document, lambda page: _show(document, page), code)
