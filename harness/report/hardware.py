"""Boards on which machines compete: one submission on every machine, ranked by energy."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard, Standing, Unranked
from harness.report import numbers, wording
from harness.report.charts.ranks import rank_chart
from harness.report.charts.whisker import shared_scale, whisker
from harness.report.entries import Entry


class RankedMachine(NamedTuple):
    """One machine with a place."""

    row: Standing
    entry: Entry | None
    """None where the score of the machine is not on this site."""
    plot: Markup


class HardwareBoard(NamedTuple):
    """One submission on several machines."""

    ident: str
    board: Leaderboard
    title: str
    """Title of the submission."""
    result: wording.BoardResult
    unit: numbers.Unit
    ranked: Sequence[RankedMachine]
    not_ranked: Sequence[tuple[Unranked, Entry | None]]
    chart: Markup | None
    difference: str


def _entry_of(
    row: Standing | Unranked, board: Leaderboard, entries: Sequence[Entry]
) -> Entry | None:
    for entry in entries:
        score = entry.score
        same = (score.entry.machine, score.entry.submission, score.entry.sha256) == (
            row.entry.machine, row.entry.submission, row.entry.sha256,
        )  # fmt: skip
        rules = (score.entry.workload, score.entry.workload_version, score.rules.ruleset)
        if same and rules == (board.workload, board.workload_version, board.ruleset):
            return entry
    return None


def hardware_board(board: Leaderboard, entries: Sequence[Entry], ident: str) -> HardwareBoard:
    """Return a board of machines as pages show it."""
    rows = sorted(board.standings, key=lambda row: (row.rank, row.entry.machine))
    figures = [
        Figure(value=row.score, low=row.low, high=row.high, n=row.n, level=0.95) for row in rows
    ]
    scale = shared_scale(figures)
    ranked = [
        RankedMachine(row, _entry_of(row, board, entries), whisker(figure, scale, "energy"))
        for row, figure in zip(rows, figures, strict=True)
    ]
    listed: list[Standing | Unranked] = [*board.standings, *board.unranked]
    titles = [row.entry.title or row.entry.submission for row in listed]
    return HardwareBoard(
        ident,
        board,
        titles[0] if titles else "",
        wording.board_result(board),
        numbers.unit_for((row.score for row in rows), board.unit),
        ranked,
        [(row, _entry_of(row, board, entries)) for row in board.unranked],
        rank_chart(rows, [row.entry.machine for row in rows], board.prize, f"{ident}-ranks"),
        wording.difference_text(board),
    )
