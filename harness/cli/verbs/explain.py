"""`joulemark explain`: where a run's joules come from, domain by domain, with each uncertainty."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import existing_folder

if TYPE_CHECKING:
    from harness.cli.documents import ExplainDocument
    from harness.cli.page import Page


def _show(document: "ExplainDocument", page: "Page") -> None:
    from harness.cli.explanation import COLUMNS, rows_of

    page.heading(f"{document.run_id}: {document.window}, {document.window_s:.3f} s")
    page.table(COLUMNS, rows_of(document), right=COLUMNS[2:4])
    page.line()
    for domain in document.domains:
        if domain.note:
            page.line(f"{domain.domain}: {domain.note}")
    page.line(document.total)


@click.command("explain")
@click.argument("bundle", callback=existing_folder, metavar="BUNDLE")
@answers
def COMMAND(bundle: Path) -> Answer:  # noqa: N802 - the name by which verbs are found
    """The joules of one run, gun to death: each domain's figure, its source and its uncertainty.

    Every term of the uncertainty is shown (k = 2); the total adds up only domains of which none
    contains another.
    """
    from harness.cli.explanation import explain

    document = explain(bundle)
    return Answer(document, lambda page: _show(document, page))
