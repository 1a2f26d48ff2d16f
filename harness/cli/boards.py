"""Scores and leaderboards as tables: value, unit, interval, method; who has no place, and why."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.documents import ScoreDocument
from harness.records import Leaderboard, Ruleset, Score, Standing, load
from harness.report.numbers import Unit, figure, percent, unit_for

if TYPE_CHECKING:
    from harness.cli.page import Page

COLUMNS = ("rank", "could be", "tie", "submission", "n", "value", "interval", "method")


def scores_below(results: Path, ruleset: Ruleset | None) -> ScoreDocument:
    """Score and rank what lies below a folder."""
    from harness.prizes import score_document

    return load(ScoreDocument, {"format": 1, **score_document(results, ruleset)}, results)


def _methods(document: ScoreDocument) -> dict[tuple[str, ...], str]:
    """Method of each score's joules, by what a standing knows of it."""
    return {
        (score.workload, score.machine, score.ruleset, score.submission): _method(score)
        for score in document.scores
    }


def _method(score: Score) -> str:
    found = score.energy_to_target_j
    if found is None or found.method is None:
        return "not measured"
    text = f"{found.method}: {', '.join(found.domains)}"
    return f"{text} (simulated)" if found.simulated else text


def _unit(board: Leaderboard) -> Unit:
    values = [row.score for row in board.standings] + [row.score for row in board.unranked]
    return unit_for(values, board.unit)


def _rows(board: Leaderboard, methods: dict[tuple[str, ...], str]) -> Iterator[Sequence[object]]:
    unit = _unit(board)
    for row in board.standings:
        shown = figure(row.score, row.low, row.high, unit)
        name = row.submission.partition("@")[0]
        method = methods.get((board.workload, board.machine, board.ruleset, name), "")
        yield (
            row.rank,
            _span(row),
            row.tie_group,
            row.submission,
            row.n,
            f"{shown.value} {unit.symbol}",
            shown.interval,
            method if board.unit == "J" else "clock",
        )
    for other in board.unranked:
        value = f"{figure(other.score, None, None, unit).value} {unit.symbol}"
        shown_value = "–" if other.score is None else value
        yield ("–", "", "", other.submission, "", shown_value, "", other.method or "")


def _span(row: Standing) -> str:
    low, high = row.rank_low, row.rank_high
    return str(low) if low == high else f"{low}–{high}"


def show_board(board: Leaderboard, document: ScoreDocument, page: "Page") -> None:
    """One leaderboard, with the reasons of those without a place below it."""
    page.heading(
        f"{board.prize}: {board.quantity} on {board.workload}, {board.machine}, "
        f"rules {board.ruleset}"
    )
    right = ("rank", "n", "value")
    page.table(COLUMNS, _rows(board, _methods(document)), right=right)
    for other in board.unranked:
        page.line(f"  no place: {other.submission}: {other.reason}")
    seen = f"; these data could have seen a lead of {percent(board.resolvable_ratio)}"
    page.line(f"  {board.note}{seen if board.resolvable_ratio is not None else ''}")
    page.line()


def show(document: ScoreDocument, page: "Page") -> None:
    """All boards, and what was left out."""
    for board in document.boards:
        show_board(board, document, page)
    if not document.boards:
        page.line("nothing to score: no readable bundle here")
    for finding in document.findings:
        page.line(f"{finding.level}: {finding.message}", "yellow")
    if document.boards:
        level = next((f.level for s in document.scores if (f := s.time_to_target_s)), None)
        said = f", {level:.0%} confidence" if level is not None else ""
        page.line(f"intervals: of the geometric mean over seeds{said}; n: distinct seeds")
