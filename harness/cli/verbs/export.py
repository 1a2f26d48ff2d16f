"""`joulemark export`: results in the formats of other projects' tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import existing_folder, ruleset_options

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.formats.exports import ExportDocument

DOCUMENT = "harness.formats.exports:ExportDocument"


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:

    found = {}
    for text in value:
        key, separator, said = text.partition("=")
        if not (key and separator):
            raise click.UsageError(f"{param.opts[0]} {text}: write KEY=VALUE", ctx)
        found[key] = said
    return found


def _scores(results: Path, ruleset: str | None, overrides: tuple[str, ...]) -> dict[str, Any]:
    """The document of `joulemark score --json`."""
    from harness.prizes import score_document
    from harness.rules.load import load_ruleset

    named = ruleset or ("default" if overrides else None)
    return score_document(results, load_ruleset(named, overrides) if named else None)


def _show(document: "ExportDocument", page: "Page") -> None:
    for name in document.files:
        page.line(name)
    for finding in document.findings:
        page.line(
            f"{finding.level}: {finding.message}", "" if finding.level == "info" else "yellow"
        )
    page.line(
        f"{len(document.files)} files of format {document.target_format} in {document.folder}"
    )


@click.command("export")
@click.argument("format_name", metavar="FORMAT")
@click.argument("results", default="results", callback=existing_folder, metavar="[DIR]")
@click.option("--out", default="exports", show_default=True, metavar="DIR", help="Where to write.")
@click.option(
    "--option", "options", multiple=True, callback=_pairs, metavar="KEY=VALUE",
    help="What the format asks for, as alias=resnet.",
)  # fmt: skip
@ruleset_options(None)
@answers
def COMMAND(  # noqa: N802
    format_name: str, results: Path, out: str, ruleset: str | None, **given: Any
) -> Answer:
    """Write the results below DIR (default: results) in FORMAT, into a folder of that name.

    `joulemark list formats` names the formats.
    """
    from harness.formats.exports import export_results
    from harness.formats.format import ExportRequest

    request = ExportRequest(
        results=results,
        scores=lambda: _scores(results, ruleset, given["overrides"]),
        options=given["options"],
    )
    document = export_results(format_name, request, Path(out))
    return Answer(document, lambda page: _show(document, page))
