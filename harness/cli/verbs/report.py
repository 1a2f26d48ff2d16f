"""`joulemark report`: the static site of all results."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import folder_option, ruleset_options

if TYPE_CHECKING:
    from harness.cli.documents import ReportDocument
    from harness.cli.page import Page


def _show(document: "ReportDocument", page: "Page") -> None:
    page.line(f"wrote {len(document.files)} files")
    page.line(f"open {document.index}")


@click.command("report")
@folder_option("--results", default="results", text="Folder of bundles and ledgers.")
@folder_option("--out", default="reports", text="Folder of the site.")
@ruleset_options(None)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@answers
def COMMAND(  # noqa: N802 - the name by which verbs are found
    results: Path, out: Path, ruleset: str | None, overrides: tuple[str, ...], *, opens: bool
) -> Answer:
    """Render the leaderboards and every entry as pages that open from a file, without a network."""
    from harness.cli.site import render_site
    from harness.rules.load import load_ruleset

    named = ruleset or ("default" if overrides else None)
    rules = load_ruleset(named, overrides) if named else None
    document = render_site(results, out, rules)
    if opens:
        click.launch(document.index)
    return Answer(document, lambda page: _show(document, page))
