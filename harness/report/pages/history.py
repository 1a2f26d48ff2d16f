"""The history page: each entry that lowered the cost, when, and whether beyond noise."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard
from harness.report import numbers, wording
from harness.report.charts.bars import shared_scale, whisker
from harness.report.charts.steps import HistoryMark, history_chart
from harness.report.entries import PRIZE_ORDER, BoardKey, Entry
from harness.report.site import Site, single_page


class Improvement(NamedTuple):
    """An entry that cost less than all before it."""

    first_seen: str
    """Wall time of its earliest readable run, ISO 8601; empty where none can be read."""
    entry: Entry
    figure: Figure
    before: Figure | None
    """The lowest known cost before; None for the first entry."""

    @property
    def gain(self) -> str:
        """Relative decrease of the cost; empty for the first."""
        before = self.before.value if self.before else 0.0
        return numbers.percent(1 - self.figure.value / before) if before else ""

    @property
    def noise(self) -> bool:
        """Whether its interval overlaps with that of the best before it, or one is unknown."""
        if self.before is None:
            return False
        low, high = self.before.low, self.figure.high
        return high is None or low is None or high >= low


class HistoryLine(NamedTuple):
    """The improvements of one prize on one board."""

    ident: str
    title: str
    board_key: BoardKey
    unit: numbers.Unit
    steps: Sequence[tuple[Improvement, Markup]]
    """Each improvement with the plot of its interval."""
    chart: Markup | None
    """The lowest known cost over time; None for a single step, or where a time is unknown."""


def improvements_of(entries: Sequence[Entry], prize: str) -> list[Improvement]:
    """Return the ranked entries that cost less than all before them, oldest first."""
    ranked = []
    for entry in entries:
        figure = entry.cost(prize)
        if entry.standing(prize) is not None and figure is not None:
            runs = [run.run for run in entry.opened().runs if run.run is not None]
            first_seen = min((run.window.origin_utc for run in runs), default="")
            ranked.append((first_seen, entry.anchor, entry, figure))
    improvements: list[Improvement] = []
    for first_seen, _, entry, figure in sorted(ranked, key=lambda row: row[:2]):
        before = improvements[-1].figure if improvements else None
        if before is None or figure.value < before.value:
            improvements.append(Improvement(first_seen, entry, figure, before))
    return improvements


def seconds_of(stamp: str) -> float | None:
    """Return the seconds since 1970 of a UTC stamp; None where it is not valid."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def line_of(key: BoardKey, entries: Sequence[Entry], board: Leaderboard, ident: str) -> HistoryLine:
    """Return the improvements of one board."""
    words = wording.prize_words(board.prize)
    improvements = improvements_of(entries, board.prize)
    figures = [improvement.figure for improvement in improvements]
    unit = numbers.unit_for((figure.value for figure in figures), words.unit)
    scale = shared_scale(figures)
    style = board.prize if board.prize in PRIZE_ORDER else "outside"
    steps = [(step, whisker(step.figure, scale, style)) for step in improvements]
    marks = [
        HistoryMark(seconds_of(step.first_seen), step.figure, step.noise, step.entry.title)
        for step in improvements
    ]
    chart = history_chart(marks, words.unit, f"{ident}-c")
    return HistoryLine(ident, words.title, key, unit, steps, chart)


def lines_of(site: Site) -> list[HistoryLine]:
    """Return all boards of costs with a ranked entry."""
    lines: list[HistoryLine] = []
    for key, entries in site.all_by_board():
        for board in site.boards.on(key).values():
            line = line_of(key, entries, board, f"h{len(lines) + 1}")
            if board.unit and line.steps:
                lines.append(line)
    return lines


PAGE = single_page("history", "History", 38, lambda site: {"lines": lines_of(site)})
