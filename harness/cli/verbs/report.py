"""`joulemark report`: the static site of all results, figures for papers, and what CI shows."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from harness.cli.answer import Answer, answers
from harness.cli.failure import unknown
from harness.cli.options import folder_option, optional_folder_option, ruleset_options

if TYPE_CHECKING:
    from harness.cli.documents import ReportDocument
    from harness.cli.page import Page
    from harness.cli.site import Beside


class Extras(NamedTuple):
    """What the options ask for beside the site."""

    figures: Path | None
    formats: str | None
    ci: Path | None


def _show(document: "ReportDocument", page: "Page") -> None:
    page.line(f"wrote {len(document.files)} files")
    for what, files in (("figures", document.figures), ("files for CI", document.ci)):
        if files:
            page.line(f"wrote {len(files)} {what} to {Path(files[0]).parent}")
    page.line(f"open {document.index}")


def _formats(text: str | None) -> tuple[str, ...]:
    """The formats of `--format`, each once, as they were named.

    Raises:
        click.UsageError: there is no such format, or none is named.
    """
    if text is None:
        return ()
    from harness.report.figures import FORMATS

    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in FORMATS:
            raise click.UsageError(unknown("format of --format", name, FORMATS))
    if not names:
        raise click.UsageError(
            f"--format '{text}' names no format; there are: {', '.join(FORMATS)}"
        )
    return names


def _beside(extras: Extras) -> "Beside":
    from harness.cli.site import Beside

    if extras.formats is not None and extras.figures is None:
        raise click.UsageError(
            "--format says how figures are written; name their folder with --figures DIR"
        )
    return Beside(extras.figures, _formats(extras.formats), extras.ci)


@click.command("report")
@folder_option("--results", default="results", text="Folder of bundles and ledgers.")
@folder_option("--out", default="reports", text="Folder of the site.")
@ruleset_options(None)
@optional_folder_option("--figures", text="Write figures for papers to this folder too.")
@click.option("--format", "formats", metavar="LIST", help="Of the figures: svg,pdf,png (all).")
@optional_folder_option("--ci", text="Write summary.md, junit.xml and badges to this folder too.")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@answers
def COMMAND(  # noqa: N802 - the name by which verbs are found
    results: Path,
    out: Path,
    ruleset: str | None,
    overrides: tuple[str, ...],
    *,
    opens: bool,
    **extras: Path | str | None,
) -> Answer:
    """Render the leaderboards and every entry as pages that open from a file, without a network."""
    beside = _beside(Extras(**extras))  # type: ignore[arg-type]
    from harness.cli.site import render_site
    from harness.rules.load import load_ruleset

    named = ruleset or ("default" if overrides else None)
    rules = load_ruleset(named, overrides) if named else None
    document = render_site(results, out, rules, beside)
    if opens:
        click.launch(document.index)
    return Answer(document, lambda page: _show(document, page))
