"""`joulemark rerun`: an organizer repeats a sealed run on a machine of his own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import meter_option, results_option, sign_option

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.cli.repeating import RerunDocument
    from harness.records import Figure
    from harness.records.confirm import ConfirmRow

DOCUMENT = "harness.cli.repeating:RerunDocument"

COLUMNS = ("what", "sealed", "repeated", "change", "interval", "verdict", "why")


def _figure(figure: "Figure | None") -> str | None:
    if figure is None:
        return None
    ends = [f"{item:.4g}" if item is not None else "open" for item in (figure.low, figure.high)]
    return f"{figure.value:.4g} ({' .. '.join(ends)}), n = {figure.n}"


def _change(row: "ConfirmRow") -> tuple[str | None, str | None]:
    if row.change is None:
        return None, None
    ends = [f"{item:.4g}" if item is not None else "open" for item in (row.low, row.high)]
    ratio = row.quantity in ("time_to_target_s", "energy_to_target_j")
    unit = " × reference's" if row.relative else " ×" if ratio else ""
    return f"{row.change:.4g}{unit}", " .. ".join(ends)


def _show(document: "RerunDocument", page: "Page") -> None:
    from harness.cli.series import show

    show(document.series, page)
    found = document.confirmation
    page.line()
    if found is None:
        page.line("the repetition was broken off: nothing is confirmed")
        return
    runs = len(document.sealed)
    page.heading(
        f"sealed on {found.old_machine} ({runs} {'run' if runs == 1 else 'runs'}), "
        f"repeated on {found.new_machine}"
    )
    rows = [
        (r.quantity, _figure(r.old), _figure(r.new), *_change(r), r.verdict, r.note)
        for r in found.rows
    ]
    page.table(COLUMNS, rows)
    if not found.reference:
        page.line("no other submission was there to alternate with")
    page.line(f"{found.verdict}: {found.reason}")


@click.command("rerun")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", help="Runs; else as the rules say."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="PCT",
    help="A cost that is higher by no more than this confirms the sealed one.",
)
@meter_option
@click.option("--launcher", default="auto", show_default=True, metavar="NAME", help="As in run.")
@results_option
@sign_option
@click.option("--quiet", is_flag=True, help="No progress.")
@answers
def COMMAND(bundle: Path, margin: float, results: Path, **options: Any) -> Answer:  # noqa: N802
    """Repeat the sealed run in the folder BUNDLE and say whether it is borne out.

    The bundle is verified first. Its frozen source runs under its own rules with new seeds,
    alternating with the workload's reference; runs carry the provenance `organizer`. Costs are
    compared in multiples of the reference's where it ran on both machines. Leaves with 0 where
    confirmed, 4 where not confirmed, 1 where unclear.
    """
    from harness.bundle import Bundle
    from harness.cli.display import display_for
    from harness.cli.repeating import rerun
    from harness.run.rerun import open_sealed
    from harness.run.series import SeriesRequest

    sealed: Bundle = open_sealed(bundle)
    request = SeriesRequest(
        workload=sealed.run.workload.name,
        ruleset=sealed.ruleset,
        seeds_count=options["seeds"],
        meters=options["meters"] or ("auto",),
        launcher=options["launcher"],
        results=results,
        key=options["key"],
    )
    with display_for(request.workload, quiet=options["quiet"]) as display:
        document = rerun(bundle, request, margin / 100, display)
    return Answer(document, lambda page: _show(document, page), document.exit_code)
