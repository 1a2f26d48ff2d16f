"""`joulemark rerun`: repeat a sealed run on this machine and compare."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from pydantic import Field

from harness.bundle import Bundle
from harness.cli import options
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.printer import Printer
from harness.cli.progress import display_for
from harness.cli.run_document import RunDocument, document_of, show_series
from harness.errors import ExitCode
from harness.launchers._without_namespace import trusted
from harness.launchers.choice import PLAIN
from harness.records import Ruleset, Score
from harness.records.confirm import Confirmation, ConfirmRow
from harness.rules.load import load_ruleset
from harness.run.order import Watcher
from harness.run.rerun import (
    RerunError,
    open_sealed,
    rerun_request,
    sealed_reference,
    sealed_series,
)
from harness.run.series import SeriesRequest, run_series
from harness.score.confirm import ConfirmRules, SeriesScores, confirm
from harness.score.group import Group, score_of
from harness.score.score import read_attempts

CODES = {
    "confirmed": ExitCode.OK,
    "not confirmed": ExitCode.GATE,
    "unclear": ExitCode.TARGET_MISSED,
}

COLUMNS = ("quantity", "sealed", "repeated", "change", "interval", "verdict", "reason")


class RerunDocument(Document):
    """`joulemark rerun`."""

    bundle: str
    """The sealed run that was repeated."""
    sealed: tuple[str, ...]
    """Folders of the runs of its series."""
    series: RunDocument
    """The repetition."""
    confirmation: Confirmation | None = Field(...)
    """None if the repetition was interrupted."""
    exit_code: int


def _score_of(folders: Iterable[Path], ruleset: Ruleset) -> Score | None:
    """Score exactly these runs of one submission; None without runs."""
    attempts = [attempt for folder in folders for attempt in read_attempts(folder, ruleset)[0]]
    # A repeated trial represents itself, not the study that it was part of.
    scores = [attempt.run.score.model_copy(update={"trial": None}) for attempt in attempts]
    pairs = zip(attempts, scores, strict=True)
    runs = tuple(attempt.run.model_copy(update={"score": score}) for attempt, score in pairs)
    return score_of(Group(runs, ruleset, ruleset.name)) if runs else None


def _series_scores(
    own: Iterable[Path], reference: Iterable[Path], ruleset: Ruleset
) -> SeriesScores:
    score = _score_of(own, ruleset)
    assert score is not None
    return SeriesScores(score, _score_of(reference, ruleset))


def installed_ruleset(bundle: Bundle) -> Ruleset:
    """The ruleset of this installation that has the name of the bundle's.

    Raises:
        UnknownPlugin: there is none.
        RerunError: the bundle names a file.
    """
    name = bundle.ruleset.name
    if name.endswith(".toml"):
        raise RerunError(f"{bundle.folder}: the ruleset {name!r} is a file; name one by --ruleset")
    return load_ruleset(name)


def rerun(folder: Path, request: SeriesRequest, margin: float, watcher: Watcher) -> RerunDocument:
    """Verify a bundle, run its source again, and compare.

    Args:
        folder: The sealed bundle.
        request: Ruleset, seeds, meters, launcher and results of the repetition.
        margin: Ratio by which a cost may be higher and still confirm the sealed one, as 0.1.
        watcher: Shows the progress.

    Raises:
        RerunError: the bundle cannot be repeated here.
        MachineBusy: another run uses this machine.
    """
    bundle = open_sealed(folder)
    series, reference = sealed_series(bundle), sealed_reference(bundle)
    with rerun_request(bundle, request) as repetition:
        run_results = run_series(repetition, watcher)
    rules = request.ruleset
    confirmation = None
    if not any(result.run.window.ended_by == "interrupt" for result in run_results):
        own = (result.bundle for result in run_results if not result.is_reference)
        other = (result.bundle for result in run_results if result.is_reference)
        old = _series_scores((b.folder for b in series), (b.folder for b in reference), rules)
        terms = ConfirmRules(margin, rules.score.confidence, rules.score.target_alpha)
        confirmation = confirm(old, _series_scores(own, other, rules), terms)
    return RerunDocument(
        bundle=str(folder),
        sealed=tuple(str(item.folder) for item in series),
        series=document_of(run_results, rules, request.results),
        confirmation=confirmation,
        exit_code=CODES[confirmation.verdict] if confirmation else ExitCode.INTERRUPTED,
    )


def _interval(low: float | None, high: float | None) -> str:
    return " .. ".join("open" if end is None else f"{end:.4g}" for end in (low, high))


def _cells(row: ConfirmRow) -> Sequence[object]:
    old, new = (
        f"{figure.value:.4g} ({_interval(figure.low, figure.high)}), n = {figure.n}"
        if figure
        else None
        for figure in (row.old, row.new)
    )
    change = interval = None
    if row.change is not None:
        is_ratio = row.quantity in ("time_to_target_s", "energy_to_target_j")
        unit = " × reference's" if row.relative else " ×" if is_ratio else ""
        change, interval = f"{row.change:.4g}{unit}", _interval(row.low, row.high)
    return (row.quantity, old, new, change, interval, row.verdict, row.note)


def _show(document: RerunDocument, printer: Printer) -> None:
    show_series(document.series, printer)
    confirmation = document.confirmation
    printer.line()
    if confirmation is None:
        printer.line("the repetition was interrupted: nothing is confirmed")
        return
    count = len(document.sealed)
    printer.heading(
        f"sealed on {confirmation.old_machine} ({count} run{'' if count == 1 else 's'}), "
        f"repeated on {confirmation.new_machine}"
    )
    printer.table(COLUMNS, map(_cells, confirmation.rows))
    if not confirmation.reference:
        printer.line("there was no reference to interleave with")
    printer.line(f"{confirmation.verdict}: {confirmation.reason}")


@json_command("rerun")
@click.argument("bundle", type=options.PATH)
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", help="Number of runs; default: the rules'."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="PCT",
    help="A cost that is at most PCT per cent higher confirms the sealed one.",
)
@options.ruleset_options(None)
@options.meter_option
@options.launcher_option
@options.results_option
@options.key_option
@options.quiet_option
def command(
    bundle: Path,
    seeds: int | None,
    margin: float,
    ruleset: Ruleset | None,
    meters: tuple[str, ...],
    launcher: str,
    results: Path,
    key: Path | None,
    *,
    quiet: bool,
) -> CommandResult:
    """Repeat the sealed run in the folder BUNDLE and check whether it is reproduced.

    The bundle is verified first. Its source runs with new seeds under the ruleset that is named,
    or else under the installed ruleset of the bundle's name, never under the rules in the bundle.
    The runs are interleaved with those of the workload's reference; the new runs have the
    provenance `organizer`. If the reference ran on both machines, costs are compared relative to
    the reference's cost. Exits with 0 if confirmed, 4 if not confirmed, 1 if unclear.
    """
    if launcher == PLAIN and not trusted():
        raise RerunError(f"--launcher {PLAIN}: rerun starts code of others only in a sandbox")
    sealed = open_sealed(bundle)
    request = SeriesRequest(
        workload=sealed.run.workload.name,
        ruleset=ruleset or installed_ruleset(sealed),
        seeds_count=seeds,
        meters=meters,
        launcher=launcher,
        results=results,
        key=key,
    )
    with display_for(request.workload, quiet=quiet) as display:
        document = rerun(bundle, request, margin / 100, display)
    return CommandResult(document, _show, document.exit_code)
