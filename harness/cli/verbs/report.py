"""`joulemark report`: render the static site, figures for papers, and files for CI."""

from pathlib import Path

import click

from harness.bundle import Bundle, find_bundles
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.failure import unknown
from harness.cli.options import folder_option, results_option, ruleset_options
from harness.cli.printer import Printer
from harness.prizes import boards
from harness.records import Ruleset
from harness.report.ci import write_ci
from harness.report.site import render
from harness.score.score import score_all

INDEX = "index.html"


class ReportDocument(Document):
    """`joulemark report`."""

    index: str
    """Path of the first page."""
    files: tuple[str, ...]
    """Files of the site."""
    figures: tuple[str, ...] = ()
    """Files of `--figures`."""
    ci: tuple[str, ...] = ()
    """Files of `--ci`."""


def rulesets_below(results: Path) -> list[Ruleset]:
    """Return the distinct rulesets of all bundles, sorted by name."""
    rulesets = {}
    for folder in find_bundles(results):
        try:
            ruleset = Bundle(folder).ruleset
        except ValueError:
            continue  # scoring reports it as a finding
        rulesets[ruleset.model_dump_json()] = ruleset
    return sorted(rulesets.values(), key=lambda ruleset: ruleset.name)


def render_site(
    results: Path,
    out: Path,
    ruleset: Ruleset | None,
    *,
    figures: Path | None = None,
    figure_formats: tuple[str, ...] = (),
    ci: Path | None = None,
) -> ReportDocument:
    """Write the site of all results, and figures and CI files of the same scores.

    Without a ruleset each run is scored under its own. Figures have all formats if none is named.

    Raises:
        SiteError: two pages have the same path.
        OSError: a file could not be written.
    """
    scored = score_all(results, ruleset)
    leaderboards = boards(scored.scores)
    rulesets = [ruleset] if ruleset else rulesets_below(results)
    files = render(results, out, scored.scores, leaderboards, rulesets)
    figure_files: list[Path] = []
    if figures is not None:
        # matplotlib is slow to import, so it is imported only if figures are drawn.
        from harness.report.figures import FORMATS, write_figures

        figure_files = write_figures(
            results, figures, scored.scores, leaderboards, figure_formats or FORMATS
        )
    ci_files = write_ci(ci, scored.scores, leaderboards) if ci else []
    return ReportDocument(
        index=str((out / INDEX).resolve()),
        files=tuple(map(str, files)),
        figures=tuple(map(str, figure_files)),
        ci=tuple(map(str, ci_files)),
    )


def _parse_formats(text: str) -> tuple[str, ...]:
    from harness.report.figures import FORMATS  # imports matplotlib

    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in FORMATS:
            raise click.UsageError(unknown("format of --format", name, FORMATS))
    if not names:
        raise click.UsageError(f"--format '{text}' names no format; use {', '.join(FORMATS)}")
    return names


def _show(document: ReportDocument, printer: Printer) -> None:
    printer.line(f"wrote {len(document.files)} files")
    for what, files in (("figures", document.figures), ("files for CI", document.ci)):
        if files:
            printer.line(f"wrote {len(files)} {what} to {Path(files[0]).parent}")
    printer.line(f"open {document.index}")


@json_command("report")
@results_option
@folder_option("--out", default="reports", text="Folder of the site.")
@ruleset_options(None)
@folder_option("--figures", text="Also write figures for papers to this folder.")
@click.option("--format", "formats", metavar="LIST", help="Formats of figures: svg,pdf,png (all).")
@folder_option("--ci", text="Also write summary.md, junit.xml and badges to this folder.")
@click.option("--open", "opens", is_flag=True, help="Open the site in the browser.")
def command(
    results: Path,
    out: Path,
    ruleset: Ruleset | None,
    figures: Path | None,
    formats: str | None,
    ci: Path | None,
    *,
    opens: bool,
) -> CommandResult:
    """Render the leaderboards and every entry as pages that open from a file, without a network."""
    if formats is not None and figures is None:
        raise click.UsageError("--format needs --figures DIR, the folder of the figures")
    document = render_site(
        results,
        out,
        ruleset,
        figures=figures,
        figure_formats=() if formats is None else _parse_formats(formats),
        ci=ci,
    )
    if opens:
        click.launch(document.index)
    return CommandResult(document, _show)
