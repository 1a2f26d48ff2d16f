"""`joulemark export`: write results in the formats of other tools."""

from pathlib import Path
from typing import Any

import click

from harness.cli.command import CommandResult, json_command
from harness.cli.options import existing_folder, ruleset_options
from harness.cli.printer import Printer
from harness.formats.exports import ExportDocument, export_results
from harness.formats.format import ExportRequest
from harness.formats.imported import score_imported, scores_imports
from harness.prizes import score_document
from harness.records import Ruleset

__all__ = ["ExportDocument", "command"]


def _parse_options(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    options = {}
    for text in value:
        key, separator, setting = text.partition("=")
        if not (key and separator):
            raise click.UsageError(f"{param.opts[0]} {text}: write KEY=VALUE", ctx)
        options[key] = setting
    return options


def _show(document: ExportDocument, printer: Printer) -> None:
    for name in document.files:
        printer.line(name)
    printer.findings(document.findings)
    count = len(document.files)
    printer.line(f"{count} files of format {document.target_format} in {document.folder}")


@json_command("export")
@click.argument("format_name", metavar="FORMAT")
@click.argument("results", default="results", callback=existing_folder, metavar="[DIR]")
@click.option("--out", default="exports", show_default=True, metavar="DIR", help="Output folder.")
@click.option(
    "--option",
    "options",
    multiple=True,
    callback=_parse_options,
    metavar="KEY=VALUE",
    help="Option of the format, as alias=resnet.",
)
@ruleset_options(None)
def command(
    format_name: str, results: Path, out: str, options: dict[str, str], ruleset: Ruleset | None
) -> CommandResult:
    """Write the results below DIR (default: results) in FORMAT to a folder of that name.

    `joulemark list formats` lists the formats.
    """

    def scores() -> dict[str, Any]:
        """Score the results when the format needs them."""
        if ruleset and scores_imports(results, ruleset):
            return score_imported(results, ruleset).model_dump(mode="json")
        return score_document(results, ruleset).model_dump(mode="json")

    request = ExportRequest(results=results, scores=scores, options=options)
    document = export_results(format_name, request, Path(out))
    return CommandResult(document, _show)
