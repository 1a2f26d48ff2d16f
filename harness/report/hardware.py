"""Boards on which machines compete: the same submission everywhere, ranked by its joules."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard, Standing, Unranked
from harness.report import numbers, wording
from harness.report.charts.ranks import rank_chart
from harness.report.charts.whisker import shared_scale, whisker
from harness.report.entries import Entry


class Rank(NamedTuple):
    """One machine with a place."""

    row: Standing
    entry: Entry | None
    """What ran there; None where its score is not on this site."""
    shown: numbers.FormattedFigure
    plot: Markup
    tie: str
    """Tie letters, where another machine shares one."""


class Outsider(NamedTuple):
    """One machine without a place."""

    row: Unranked
    entry: Entry | None


class HardwareBoard(NamedTuple):
    """One submission on several machines, by the prize for hardware."""

    ident: str
    board: Leaderboard
    title: str
    """Of the submission."""
    verdict: wording.BoardResult
    unit: numbers.Unit
    ranks: tuple[Rank, ...]
    outsiders: tuple[Outsider, ...]
    chart: Markup | None
    lead: str


def _entry_of(
    row: Standing | Unranked, board: Leaderboard, entries: Sequence[Entry]
) -> Entry | None:
    """The score behind a row, told by version and machine."""
    return next(
        (
            entry
            for entry in entries
            if entry.score.entry.machine == row.entry.machine
            and entry.score.entry.submission == row.entry.submission
            and entry.score.entry.sha256 == row.entry.sha256
            and entry.board_key[:2] == (board.workload, board.workload_version)
            and entry.score.rules.ruleset == board.ruleset
        ),
        None,
    )


def _tie(row: Standing, board: Leaderboard) -> str:
    others = (standing for standing in board.standings if standing is not row)
    shared = any(set(row.tie_group) & set(other.tie_group) for other in others)
    return row.tie_group if shared else ""


def _figure(row: Standing) -> Figure:
    return Figure(value=row.score, low=row.low, high=row.high, n=row.n, level=0.95)


def hardware_board(board: Leaderboard, entries: Sequence[Entry], ident: str) -> HardwareBoard:
    """A board of machines as pages show it."""
    ordered = sorted(board.standings, key=lambda row: (row.rank, row.entry.machine))
    figures = [_figure(row) for row in ordered]
    unit = numbers.unit_for((row.score for row in ordered), board.unit)
    scale = shared_scale(figures)
    ranks = tuple(
        Rank(
            row,
            _entry_of(row, board, entries),
            wording.shown(figure, unit),
            whisker(figure, scale, "energy"),
            _tie(row, board),
        )
        for row, figure in zip(ordered, figures, strict=True)
    )
    outsiders = tuple(Outsider(row, _entry_of(row, board, entries)) for row in board.unranked)
    named: list[Standing | Unranked] = [*board.standings, *board.unranked]
    # On the drawing machines have their own names: the title is the same on all of them.
    renamed = [row.model_copy(update={"title": row.entry.machine}) for row in ordered]
    return HardwareBoard(
        ident,
        board,
        (named[0].entry.title or named[0].entry.submission) if named else "",
        wording.board_result(board),
        unit,
        ranks,
        outsiders,
        rank_chart(renamed, board.prize, f"{ident}-ranks"),
        wording.lead_text(board),
    )
