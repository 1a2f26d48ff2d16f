"""The board of a workload: every entry with its joules, seconds, intervals, ranks and status."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard, Score
from harness.report import finite, numbers, wording
from harness.report.charts import plane
from harness.report.charts.ranks import rank_chart
from harness.report.charts.svg import Scale
from harness.report.charts.whisker import shared_scale, whisker
from harness.report.entries import BoardKey, Entry, Placement
from harness.report.site import Page, Site


class CostCell(NamedTuple):
    """One quantity of one entry."""

    figure: Figure | None
    shown: numbers.FormattedFigure
    plot: Markup
    badges: list[wording.Badge]
    place: Placement | None
    tie: str
    """Tie letters, where another entry shares one."""
    why: str
    """Why there is no rank; empty where there is one."""


class EntryRow(NamedTuple):
    """One entry on the board."""

    entry: Entry
    cells: tuple[CostCell, CostCell]
    """Energy, time."""
    quality: CostCell
    """The metric, with its place where the metric ranks."""
    metric: numbers.FormattedFigure
    status: wording.Badge


BUDGET = "budget"
"""The prize that ranks by the metric."""


class Outside(NamedTuple):
    """Entries that one prize does not rank, for one reason."""

    title: str
    reason: str
    entries: tuple[Entry, ...]


class Chart(NamedTuple):
    """A drawing with the words under it."""

    ident: str
    drawing: Markup
    caption: str


class Table(NamedTuple):
    """The entries of one board_key."""

    ident: str
    board_key: BoardKey
    score: Score
    """Any of its scores: for metric, target and direction."""
    rows: tuple[EntryRow, ...]
    units: tuple[numbers.Unit, numbers.Unit]
    boards: dict[str, Leaderboard]
    notes: tuple[str, ...]
    outside: tuple[Outside, ...]
    charts: tuple[Chart, ...]

    @property
    def costs(self) -> bool:
        """Whether costs are shown: where the metric at the budget ranks there are none."""
        return self.score.rules.mode == "cost_to_target"


def _figures(entries: Sequence[Entry]) -> tuple[list[Figure | None], list[Figure | None]]:
    return (
        [entry.score.costs.energy_to_target_j for entry in entries],
        [entry.score.costs.time_to_target_s for entry in entries],
    )


def _why(entry: Entry, prize: str) -> str:
    place = entry.places.get(prize)
    if place is not None and place.standing is not None:
        return ""
    if place is not None and place.unranked is not None:
        return place.unranked.reason
    return entry.score.reason or "not on this board"


def _tie(place: Placement | None) -> str:
    if place is None or place.standing is None:
        return ""
    letters = set(place.standing.tie_group)
    others = (row for row in place.board.standings if row is not place.standing)
    return place.standing.tie_group if any(letters & set(row.tie_group) for row in others) else ""


def _style(figure: Figure | None, entry: Entry, prize: str) -> str:
    if wording.is_estimate(figure):
        return "modelled"
    place = entry.places.get(prize)
    return prize if place and place.standing else "outside"


class _Column(NamedTuple):
    """What the cells of one quantity share."""

    prize: str
    unit: numbers.Unit
    scale: Scale | None
    """Of the intervals, the same for all rows."""

    def cell(self, entry: Entry, figure: Figure | None) -> CostCell:
        """The cell of one entry."""
        return CostCell(
            figure,
            wording.shown(figure, self.unit),
            whisker(figure, self.scale, _style(figure, entry, self.prize)),
            wording.figure_badges(figure),
            entry.places.get(self.prize),
            _tie(entry.places.get(self.prize)),
            _why(entry, self.prize),
        )


def _rank(entry: Entry, prize: str) -> int:
    place = entry.places.get(prize)
    return place.standing.rank if place and place.standing else 1 << 30


def _order(entry: Entry) -> tuple[object, ...]:
    """By energy rank, then by speed, then what has no place, by time and name."""
    figure = entry.score.costs.time_to_target_s
    time_s = figure.value if figure else float("inf")
    ranks = (_rank(entry, prize) for prize in ("energy", "speed", BUDGET))
    return *ranks, time_s, entry.anchor


def _row(entry: Entry, columns: tuple[_Column, _Column]) -> EntryRow:
    score = entry.score
    figures = (score.costs.energy_to_target_j, score.costs.time_to_target_s)
    plain = numbers.Unit("", 1.0)
    return EntryRow(
        entry,
        (columns[0].cell(entry, figures[0]), columns[1].cell(entry, figures[1])),
        _Column(BUDGET, plain, None).cell(entry, score.quality.figure),
        wording.shown(score.quality.figure, plain),
        wording.status_badge(score.status),
    )


def _outside(entries: Sequence[Entry]) -> tuple[Outside, ...]:
    """Why entries have no place, each reason once."""
    together: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        for prize, place in entry.places.items():
            if place.standing is None:
                together.setdefault((prize, _why(entry, prize)), []).append(entry)
    return tuple(
        Outside(wording.PRIZES.get(prize, (prize, ""))[0], reason, tuple(found))
        for (prize, reason), found in sorted(together.items(), key=lambda item: item[0])
    )


OUTSIDE_MAX = 40
"""Entries without a place that are named for one reason; the table says it of all of them."""

PLANE_CAPTION = (
    "Each entry with its intervals. The line joins those that no other entry beats in both "
    "directions; hollow, dashed: estimated joules, which have a line of their own."
)


def _charts(
    entries: Sequence[Entry], boards: dict[str, Leaderboard], ident: str
) -> tuple[Chart, ...]:
    """The planes and the ranks that the data allow, as far as there is anything to draw."""
    score = entries[0].score
    metric = plane.Axis(score.quality.name, "", score.quality.better, log=False)
    costs = plane.with_chances(plane.dots_of(entries, against_metric=False), entries)
    told = f"{PLANE_CAPTION} {plane.front_words(costs)}".strip()
    quality = plane.dots_of(entries, against_metric=True)
    drawn = [
        (plane.plane_chart(costs, plane.TIME, plane.ENERGY, f"{ident}-cost"), told),
        (plane.plane_chart(quality, plane.ENERGY, metric, f"{ident}-quality"), PLANE_CAPTION),
    ]
    for prize, board in boards.items():
        chart = rank_chart(board.standings, prize, f"{ident}-rank-{prize}")
        drawn.append((chart, "Dot: rank by value. Bar: ranks that the data allow."))
    return tuple(
        Chart(f"{ident}-chart-{number}", drawing, caption)
        for number, (drawing, caption) in enumerate(drawn)
        if drawing is not None
    )


def table_of(site: Site, entries: Sequence[Entry], ident: str) -> Table:
    """The table of entries that share a board_key."""
    ordered = sorted(entries, key=_order)
    energy, time = _figures(ordered)
    units = (
        numbers.unit_for((item.value for item in energy if item), "J"),
        numbers.unit_for((item.value for item in time if item), "s"),
    )
    columns = (
        _Column("energy", units[0], shared_scale(energy)),
        _Column("speed", units[1], shared_scale(time)),
    )
    score = ordered[0].score
    boards = site.boards.on(ordered[0].board_key)
    rows = tuple(_row(entry, columns) for entry in ordered)
    notes = tuple(
        f"{wording.PRIZES.get(prize, (prize, ''))[0]}: {board.note.rstrip('.')}."
        for prize, board in boards.items()
        if board.note
    )
    return Table(
        ident,
        ordered[0].board_key,
        score,
        rows,
        units,
        boards,
        notes,
        _outside(ordered),
        _charts(ordered, boards, ident),
    )


def tables_of(site: Site, workload: str) -> list[Table]:
    """All tables of a workload: one for each board_key, never mixed."""
    return [
        table_of(site, entries, f"t{number}")
        for number, entries in enumerate(site.entries_by_board(workload).values(), 1)
    ]


COLUMNS = (
    "workload", "machine", "ruleset", "submission", "title", "team", "division", "status",
    "energy_rank", "energy_to_target_j", "energy_low_j", "energy_high_j", "energy_method",
    "energy_simulated", "energy_domains", "energy_eligible", "speed_rank", "time_to_target_s",
    "time_low_s", "time_high_s", "quality_rank", "metric", "metric_value", "target", "n",
    "failures", "submission_sha256",
)  # fmt: skip
"""Of the CSV file of a board; values are unrounded."""


def _plain_text(text: str) -> str:
    """Text for a spreadsheet: what would be read as a formula gets a quote in front."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _ends(figure: Figure | None) -> tuple[float | str, float | str, float | str]:
    """Value and interval; empty where missing."""
    if figure is None:
        return "", "", ""
    low, high = (("" if end is None else end) for end in (figure.low, figure.high))
    return figure.value, low, high


def _record(entry: Entry) -> list[object]:
    score, energy = entry.score, entry.score.costs.energy_to_target_j
    ranks = [_rank(entry, prize) for prize in ("energy", "speed", BUDGET)]
    energy_rank, speed_rank, quality_rank = ("" if rank == 1 << 30 else rank for rank in ranks)
    names = (score.entry.submission, score.entry.title, score.entry.team, score.entry.division)
    return [
        score.entry.workload, score.entry.machine, score.rules.ruleset,
        *map(_plain_text, names), score.status,
        energy_rank, *_ends(energy), (energy and energy.method) or "",
        energy.simulated if energy else "", " ".join(energy.domains) if energy else "",
        score.energy.eligible, speed_rank, *_ends(score.costs.time_to_target_s), quality_rank,
        score.quality.name, score.quality.figure.value if score.quality.figure else "",
        score.quality.target, score.n, score.failures, score.entry.sha256,
    ]  # fmt: skip


def csv_text(entries: Sequence[Entry]) -> str:
    """Entries as CSV: SI units, unrounded, empty where missing."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_record(entry) for entry in sorted(entries, key=_order))
    return stream.getvalue()


def json_text(entries: Sequence[Entry], boards: Sequence[Leaderboard]) -> str:
    """The records behind a board."""
    tree = {
        "boards": [board.model_dump(mode="json") for board in boards],
        "scores": [entry.score.model_dump(mode="json") for entry in entries],
    }
    return finite.json_text(tree)


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    for workload in site.workloads:
        tables, entries = tables_of(site, workload), site.entries_on(workload)
        path = site.board_path(workload)
        stem = path.removesuffix(".html")
        boards = [board for table in tables for board in table.boards.values()]
        title = f"Board of {workload}"
        name = stem.rpartition("/")[2]
        values = {"tables": tables, "workload": workload, "stem": name}
        yield path, site.page(path, title, "board.html", outside_max=OUTSIDE_MAX, **values)
        yield f"{stem}.csv", csv_text(entries)
        yield f"{stem}.json", json_text(entries, boards)


PAGE = Page(name="board", title="Boards", order=10, publish=_publish)
