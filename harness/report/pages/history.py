"""Best known over time: which ranked entry lowered the cost, and when, beyond noise or not."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard
from harness.report import numbers, wording
from harness.report.charts.best import HistoryMark, history_chart
from harness.report.charts.whisker import shared_scale, whisker
from harness.report.entries import PRIZE_ORDER, BoardKey, Entry
from harness.report.site import Page, Site


class HistoryStep(NamedTuple):
    """One entry that was the best known when it came."""

    entry: Entry
    date: str
    figure: Figure
    shown: numbers.FormattedFigure
    plot: Markup
    gain: str
    """By how much it lowered the cost; empty for the first."""
    noise: bool
    """Whether its interval reaches that of the best before."""


class HistoryLine(NamedTuple):
    """The steps of one prize on one board_key."""

    ident: str
    title: str
    board_key: BoardKey
    unit: numbers.Unit
    steps: tuple[HistoryStep, ...]
    chart: Markup | None
    """The best known cost over time; None for a single step, or where a time is unknown."""

    @property
    def alone(self) -> bool:
        """Whether the first ranked entry is still the best known."""
        return len(self.steps) == 1


def first_seen(entry: Entry) -> str:
    """Wall time of an entry's earliest readable run, ISO 8601; empty where none can be read."""
    stamps = [run.run.window.origin_utc for run in entry.opened().runs if run.run is not None]
    return min(stamps, default="")


def _figure(entry: Entry, prize: str) -> Figure | None:
    score = entry.score
    return score.costs.energy_to_target_j if prize == "energy" else score.costs.time_to_target_s


def _ranked(entries: Sequence[Entry], prize: str) -> list[tuple[str, Entry, Figure]]:
    """Entries with a place, by the day of their first run."""
    found = []
    for entry in entries:
        place, figure = entry.places.get(prize), _figure(entry, prize)
        if place is not None and place.standing is not None and figure is not None:
            found.append((first_seen(entry), entry, figure))
    return sorted(found, key=lambda each: (each[0], each[1].anchor))


def _improvements(
    ranked: Sequence[tuple[str, Entry, Figure]],
) -> list[tuple[str, Entry, Figure, Figure | None]]:
    """Those that were cheaper than all before, each with the best before it."""
    found: list[tuple[str, Entry, Figure, Figure | None]] = []
    best: Figure | None = None
    for date, entry, figure in ranked:
        if best is None or figure.value < best.value:
            found.append((date, entry, figure, best))
            best = figure
    return found


def within_noise(figure: Figure, before: Figure | None) -> bool:
    """Whether two intervals reach each other, or one of them is not known."""
    if before is None:
        return False
    return figure.high is None or before.low is None or figure.high >= before.low


def seconds_of(stamp: str) -> float | None:
    """Seconds since 1970 of a UTC stamp; None for what is none."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def line_of(
    board_key: BoardKey, entries: Sequence[Entry], board: Leaderboard, ident: str
) -> HistoryLine:
    """The steps of one board."""
    title, base = wording.PRIZES.get(board.prize, (board.prize, ""))
    found = _improvements(_ranked(entries, board.prize))
    figures = [figure for _, _, figure, _ in found]
    unit = numbers.unit_for((figure.value for figure in figures), base)
    scale = shared_scale(figures)
    steps = tuple(
        HistoryStep(
            entry,
            date.partition("T")[0],
            figure,
            wording.shown(figure, unit),
            whisker(figure, scale, board.prize if board.prize in PRIZE_ORDER else "outside"),
            numbers.percent(1 - figure.value / before.value) if before and before.value else "",
            within_noise(figure, before),
        )
        for date, entry, figure, before in found
    )
    marks = [
        HistoryMark(seconds_of(date), figure, within_noise(figure, before), entry.score.entry.title)
        for date, entry, figure, before in found
    ]
    return HistoryLine(
        ident, title, board_key, unit, steps, history_chart(marks, base, f"{ident}-c")
    )


def lines_of(site: Site) -> list[HistoryLine]:
    """All boards that rank anybody."""
    lines: list[HistoryLine] = []
    for workload in site.workloads:
        for board_key, entries in site.entries_by_board(workload).items():
            costs = (item for item in site.boards.on(board_key).values() if item.unit)
            for board in costs:
                line = line_of(board_key, entries, board, f"h{len(lines) + 1}")
                if line.steps:
                    lines.append(line)
    return lines


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    yield "history.html", site.page("history.html", "History", "history.html", lines=lines_of(site))


PAGE = Page(name="history", title="History", order=38, publish=_publish, landing="history.html")
