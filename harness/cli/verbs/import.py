"""`joulemark import`: results of other projects become records that can be scored and shown."""
# ruff: noqa: N999 - a verb's file is named as the verb is typed

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import results_option

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.formats.imports import ImportDocument

FINDINGS_SHOWN = 20

BUNDLE = "bundle"
"""Beside the formats: what this harness itself seals, somewhere else."""

DOCUMENT = "harness.formats.imports:ImportDocument"


def _show(document: "ImportDocument", page: "Page") -> None:
    page.heading(f"{document.source_format}: {document.runs_count} runs from {document.path}")
    rows = [(item.what, item.count, ", ".join(item.names)) for item in document.found]
    page.table(("what", "how many", "names"), rows, right=("how many",))
    for finding in document.findings[:FINDINGS_SHOWN]:
        page.line(
            f"{finding.level}: {finding.message}", "yellow" if finding.level != "info" else ""
        )
    more = len(document.findings) - FINDINGS_SHOWN
    if more > 0:
        page.line(f"and {more} further findings; --json lists all")
    if document.source_format == BUNDLE:
        from harness.cli.foreign import show_kept

        show_kept(document, page)
        return
    page.line(f"written to {document.file}; these records are marked imported and win no prize")
    if document.rulesets:
        page.line(f"next: joulemark score {document.results} --ruleset {document.rulesets[0]}")


@click.command("import")
@click.argument("format_name", metavar="FORMAT")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@results_option
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of bundles: public key that must have signed each one.",
)
@answers
def COMMAND(format_name: str, path: Path, results: Path, key: Path | None) -> Answer:  # noqa: N802
    """Read PATH, an archive in FORMAT, and keep its runs below --results.

    A file that cannot be read is named and does not lose the others. Importing the same path again
    replaces what was imported before. `joulemark list formats` names the formats.

    FORMAT `bundle` lets sealed bundles of somebody else's in (a folder, .tar.gz or .zip): all of
    them are verified first, and none is kept where a check fails. A provenance above `self` needs
    the signature of whoever vouches for it.
    """
    if format_name == BUNDLE:
        from harness.cli.foreign import import_bundles

        document = import_bundles(path, results, key)
    else:
        from harness.formats.imports import import_archive

        if key is not None:
            raise click.UsageError("--key is for bundles; records of other formats are not signed")
        document = import_archive(format_name, path, results)
    return Answer(document, lambda page: _show(document, page))
