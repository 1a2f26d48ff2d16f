"""`joulemark demo`: run, rank and render three submissions of the smallest workload."""

import os
from contextlib import suppress
from pathlib import Path

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import folder_option
from harness.cli.printer import Printer
from harness.cli.progress import display_for
from harness.cli.run_document import RunDocument, document_of, show_series, worst
from harness.cli.score_tables import show_scores
from harness.cli.verbs.report import ReportDocument, render_site
from harness.launchers._without_namespace import TRUST
from harness.launchers.choice import PLAIN, LauncherUnavailable, choose
from harness.prizes import score_document
from harness.records.document import ScoreDocument
from harness.registry import Plugin, discover
from harness.rules.load import load_ruleset
from harness.run.series import SeriesRequest, run_series
from harness.run.submission import SubmissionError, open_submission

WORKLOAD = "digits-mlp"
RULESET = "smoke"


class DemoDocument(Document):
    """`joulemark demo`."""

    series: tuple[RunDocument, ...]
    """One for each submission."""
    scores: ScoreDocument
    report: ReportDocument
    exit_code: int


def submissions_for(workload: str) -> list[str]:
    """Return the listed submissions that name a workload."""
    names = []
    for plugin in discover("submissions"):
        # `joulemark list submissions` shows the errors of the others.
        with suppress(SubmissionError):
            if isinstance(plugin, Plugin) and (
                workload in open_submission(plugin.name).file.workloads
            ):
                names.append(plugin.name)
    return names


def _show(document: DemoDocument, printer: Printer) -> None:
    for series in document.series:
        show_series(series, printer)
        printer.line()
    show_scores(document.scores, printer)
    printer.line()
    printer.line(f"open {document.report.index}")


@json_command("demo")
@folder_option("--results", default="results/demo", text="Folder of bundles and ledgers.")
@folder_option("--out", default="reports/demo", text="Folder of the site.")
def command(results: Path, out: Path) -> CommandResult:
    """Run every submission of the smallest workload, interleaved; rank them and render the site."""
    ruleset = load_ruleset(RULESET)
    try:
        launcher = choose()[0]
    except LauncherUnavailable as error:
        # The submissions of the demo are part of this project, so they may run without a sandbox.
        os.environ[TRUST], launcher = "1", PLAIN
        click.echo(f"without isolation: {error}", err=True)
    first, *others = submissions_for(WORKLOAD)
    request = SeriesRequest(
        workload=WORKLOAD,
        submission=first,
        interleave_with=tuple(others),
        ruleset=ruleset,
        launcher=launcher,
        results=results,
    )
    with display_for(WORKLOAD) as display:
        run_results = run_series(request, display)
    groups = (
        [item for item in run_results if item.run.submission.name == name]
        for name in (first, *others)
    )
    series = [document_of(group, ruleset, results) for group in groups if group]
    code = worst(item.exit_code for item in series)
    document = DemoDocument(
        series=tuple(series),
        scores=score_document(results),
        report=render_site(results, out, None),
        exit_code=code,
    )
    return CommandResult(document, _show, code)
