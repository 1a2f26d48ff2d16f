"""Scores of imported records as tables: what another field's rules make of its own logs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.answer import Answer
from harness.records import ImportedFigure, ImportedScore, ImportedStanding, Ruleset

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.records import ImportedScoreDocument

BOARD = ("rank", "could be", "tie", "submission", "machine", "workload", "value", "interval")
SCORES = ("workload", "submission", "machine", "n", "status", "time", "energy", "method", "why")


def _interval(low: float | None, high: float | None) -> str:
    ends = ("open" if item is None else f"{item:.6g}" for item in (low, high))
    return "" if low is None and high is None else " to ".join(ends)


def _row(row: ImportedStanding) -> Sequence[object]:
    span = (row.rank_low, row.rank_high)
    could = str(span[0]) if span[0] == span[1] else f"{span[0]}–{span[1]}"
    who = (row.submission, row.machine, row.workload)
    return (row.rank, could, row.tie_group, *who, f"{row.score:.6g}", _interval(row.low, row.high))


def _cost(found: ImportedFigure | None, unit: str) -> str | None:
    return None if found is None else f"{found.value:.6g} {unit}"


def _cells(score: ImportedScore) -> Sequence[object]:
    return (
        score.workload,
        score.submission,
        score.machine,
        score.n,
        score.status,
        _cost(score.time_to_target_s, "s"),
        _cost(score.energy_to_target_j, "J"),
        score.energy_method or "not measured",
        score.reason,
    )


def _boards(rows: Iterable[ImportedStanding]) -> dict[tuple[str, str], list[ImportedStanding]]:
    found: dict[tuple[str, str], list[ImportedStanding]] = {}
    for row in rows:
        found.setdefault((row.quantity, row.workload), []).append(row)
    return found


def show(document: "ImportedScoreDocument", page: "Page") -> None:
    """All standings, all scores, all findings."""
    how = "as its code computes it" if document.as_shipped else "as its rules say"
    for (quantity, workload), rows in _boards(document.leaderboard).items():
        where = f" on {workload}" if workload else ""
        page.heading(f"{quantity}{where}, rules {document.ruleset}, {how}")
        page.table(BOARD, map(_row, rows), right=("rank", "value"))
        page.line()
    page.table(SCORES, map(_cells, document.scores), right=("n", "time", "energy"))
    for finding in document.findings:
        page.line(
            f"{finding.level}: {finding.message}", "" if finding.level == "info" else "yellow"
        )
    page.line("imported records: scored and shown, never awarded")


def imported_answer(results: Path, rules: Ruleset) -> Answer:
    """Score what was imported, under rules of its own field."""
    from harness.formats.imported import score_imported

    document = score_imported(results, rules)
    return Answer(document, lambda page: show(document, page))
