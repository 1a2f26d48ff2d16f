"""Repeats a sealed run with the reference beside it, and holds the one against the other."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from harness.cli.documents import RunDocument
from harness.cli.series import document_of
from harness.errors import ExitCode
from harness.records import Ruleset, Score
from harness.records.base import FORMAT, Record
from harness.records.confirm import Confirmation
from harness.run.order import RunResult, Watcher
from harness.run.rerun import open_sealed, rerun_request, sealed_reference, sealed_series
from harness.run.series import SeriesRequest, run_series
from harness.score.confirm import Halves, Terms, confirm
from harness.score.group import Group, score_of
from harness.score.score import read_attempts

CODES = {
    "confirmed": ExitCode.OK,
    "not confirmed": ExitCode.GATE,
    "unclear": ExitCode.TARGET_MISSED,
}


class RerunDocument(Record):
    """`joulemark rerun`."""

    format: int = FORMAT
    bundle: str
    """The sealed run that was repeated."""
    sealed: tuple[str, ...]
    """Folders of the runs that its series consists of."""
    series: RunDocument
    """The repetition."""
    confirmation: Confirmation | None = Field(...)
    """None where the repetition was broken off."""
    exit_code: int


def score_over(folders: Sequence[Path], ruleset: Ruleset) -> Score | None:
    """The score of exactly these runs of one submission; None where there are none."""
    found = [
        read_attempt for folder in folders for read_attempt in read_attempts(folder, ruleset)[0]
    ]
    # A trial that is repeated stands for itself, not for the study that it was part of.
    attempts = [
        item._replace(score=item.score.model_copy(update={"trial": None})) for item in found
    ]
    return score_of(Group(tuple(attempts), (), ruleset.name)) if attempts else None


def _halves(own: Sequence[Path], reference: Sequence[Path], ruleset: Ruleset) -> Halves:
    score = score_over(own, ruleset)
    assert score is not None
    return Halves(score, score_over(reference, ruleset))


def _split(outcomes: Sequence[RunResult]) -> tuple[list[Path], list[Path]]:
    own = [outcome.bundle for outcome in outcomes if not outcome.is_reference]
    return own, [outcome.bundle for outcome in outcomes if outcome.is_reference]


def rerun(folder: Path, request: SeriesRequest, margin: float, watcher: Watcher) -> RerunDocument:
    """Check a bundle, run its frozen source anew, and compare.

    Args:
        folder: The sealed bundle.
        request: Seeds, meters, launcher and results of the repetition.
        margin: Part by which a cost may be higher and still confirm the old one, as 0.1.
        watcher: Who looks on.

    Raises:
        RerunError: the bundle cannot be repeated here.
        MachineBusy: another run holds this machine.
    """
    bundle = open_sealed(folder)
    series, reference = sealed_series(bundle), sealed_reference(bundle)
    with rerun_request(bundle, request) as anew:
        outcomes = run_series(anew, watcher)
    rules = bundle.ruleset
    own, other = _split(outcomes)
    confirmation = None
    if not any(outcome.run.window.ended_by == "interrupt" for outcome in outcomes):
        old = _halves([b.folder for b in series], [b.folder for b in reference], rules)
        terms = Terms(margin, rules.score.confidence, rules.score.target_alpha)
        confirmation = confirm(old, _halves(own, other, rules), terms)
    return RerunDocument(
        bundle=str(folder),
        sealed=tuple(str(item.folder) for item in series),
        series=document_of(outcomes, rules, request.results),
        confirmation=confirmation,
        exit_code=CODES[confirmation.verdict] if confirmation else ExitCode.INTERRUPTED,
    )
