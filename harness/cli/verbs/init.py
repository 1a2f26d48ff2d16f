"""`joulemark init`: begin a submission that passes `check` and runs as it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.answer import Answer, answers

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.cli.scaffold import InitDocument

DOCUMENT = "harness.cli.scaffold:InitDocument"


def _show(document: "InitDocument", page: "Page") -> None:
    begun = document.begun_from or "a constant answer"
    page.heading(f"{document.folder}: {document.division} division, begun from {begun}")
    for name in document.files:
        page.line(name, indent=2)
    page.line()
    page.line(f"next: joulemark check {document.folder}")
    page.line(f"joulemark run {document.workload} --submission {document.folder}", indent=6)


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="NAME")
@click.option("--workload", required=True, metavar="W", help="What it is to be trained on.")
@click.option(
    "--division",
    type=click.Choice(["closed", "open"]),
    default="closed",
    show_default=True,
    help="closed: the workload's own model; open: any model, with a predictor.",
)
@answers
def COMMAND(folder: Path, workload: str, division: Any) -> Answer:  # noqa: N802
    """Make the folder NAME with a submission.toml and a train.py to begin from.

    The closed one is a copy of the workload's reference submission. Nothing is overwritten.
    """
    from harness.cli.scaffold import scaffold

    document = scaffold(folder, workload, division)
    return Answer(document, lambda page: _show(document, page))
