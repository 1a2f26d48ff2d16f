"""`joulemark init`: start a submission that passes `check` and runs unchanged."""

from pathlib import Path

import click

from harness.cli.command import CommandResult, json_command
from harness.cli.new_submission import Division, InitDocument, create_submission
from harness.cli.printer import Printer


def _show(document: InitDocument, printer: Printer) -> None:
    origin = f"copied from {document.begun_from}" if document.begun_from else "predicts a constant"
    printer.heading(f"{document.folder}: {document.division} division, {origin}")
    for name in document.files:
        printer.line(name, indent=2)
    printer.line()
    printer.line(f"next: joulemark check {document.folder}")
    printer.line(f"joulemark run {document.workload} --submission {document.folder}", indent=6)


@json_command("init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="NAME")
@click.option("--workload", required=True, metavar="W", help="Workload that it trains on.")
@click.option(
    "--division",
    type=click.Choice(["closed", "open"]),
    default="closed",
    show_default=True,
    help="closed: the workload's own model; open: any model, with a predictor.",
)
def command(folder: Path, workload: str, division: Division) -> CommandResult:
    """Make the folder NAME with a submission.toml and a train.py to start from.

    In the closed division it is a copy of the workload's reference submission. Existing files are
    never overwritten.
    """
    document = create_submission(folder, workload, division)
    return CommandResult(document, lambda printer: _show(document, printer))
