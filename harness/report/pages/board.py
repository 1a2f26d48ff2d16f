"""The page of a workload's boards: every entry with its costs, intervals, ranks and status."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from harness.formats.csv import csv_cell
from harness.records import Figure, Leaderboard, Score
from harness.report import numbers, wording
from harness.report.charts import plane
from harness.report.charts.bars import rank_chart, shared_scale, whisker
from harness.report.entries import PRIZE_ORDER, BoardKey, Entry, Placement
from harness.report.site import Page, Site
from harness.report.text import json_text

BUDGET = "budget"
"""The prize that ranks by the metric."""

PRIZES = (*PRIZE_ORDER, BUDGET)

NO_RANK = 1 << 30
"""Sorts entries without a rank after the others."""

NOT_RANKED_MAX = 40
"""Entries that are named for one reason they are not ranked; the table has all of them."""

PLANE_CAPTION = (
    "Each entry with its intervals. The line joins the Pareto front: entries that no other entry "
    "beats in both directions. Hollow and dashed: estimated energy, with a front of its own."
)


class CostCell(NamedTuple):
    """One quantity of one entry."""

    figure: Figure | None
    unit: numbers.Unit
    plot: Markup
    place: Placement | None
    reason: str
    """The reason there is no rank; empty where there is one."""


class EntryRow(NamedTuple):
    """One entry on the board."""

    entry: Entry
    energy: CostCell
    time: CostCell
    quality: CostCell
    """The metric, with its rank where the metric ranks."""


class BoardTable(NamedTuple):
    """The entries of one board."""

    ident: str
    board_key: BoardKey
    score: Score
    """Any of its scores, for metric, target and direction."""
    rows: Sequence[EntryRow]
    units: tuple[numbers.Unit, numbers.Unit]
    boards: dict[str, Leaderboard]
    not_ranked: Sequence[tuple[tuple[str, str], Sequence[Entry]]]
    """Prize, reason, and the entries that the prize does not rank for this reason."""
    charts: Sequence[tuple[str, Markup, str]]
    """Id, drawing and caption."""


def _column(
    entries: Sequence[Entry], figures: Sequence[Figure | None], prize: str, unit: numbers.Unit
) -> list[CostCell]:
    scale, cells = shared_scale(figures) if prize in PRIZE_ORDER else None, []
    for entry, figure in zip(entries, figures, strict=True):
        place = entry.places.get(prize)
        reason = place.reason if place else entry.score.reason or "not on this board"
        style = prize if entry.standing(prize) else "outside"
        plot = whisker(figure, scale, "modelled" if wording.is_estimate(figure) else style)
        cells.append(CostCell(figure, unit, plot, place, reason))
    return cells


def _order(entry: Entry) -> tuple[object, ...]:
    """Return the sort key: energy rank, speed rank, then time and name."""
    places, time = (entry.standing(prize) for prize in PRIZES), entry.cost("speed")
    ranks = (place.rank if place else NO_RANK for place in places)
    return (*ranks, time.value if time else float("inf"), entry.anchor)


def _charts(
    entries: Sequence[Entry], boards: dict[str, Leaderboard], ident: str
) -> Iterator[tuple[Markup | None, str]]:
    score = entries[0].score
    metric = plane.Axis(score.quality.name, "", score.quality.better, log=False)
    costs = plane.with_probabilities(plane.dots_of(entries, against_metric=False), entries)
    quality = plane.dots_of(entries, against_metric=True)
    caption = f"{PLANE_CAPTION} {plane.front_text(costs)}".strip()
    yield plane.plane_chart(costs, plane.TIME, plane.ENERGY, f"{ident}-cost"), caption
    drawing = plane.plane_chart(quality, plane.ENERGY, metric, f"{ident}-quality")
    yield drawing, PLANE_CAPTION
    for prize, board in boards.items():
        names = [row.entry.title or row.entry.submission for row in board.standings]
        drawing = rank_chart(board.standings, names, prize, f"{ident}-rank-{prize}")
        yield drawing, "Dot: rank by value. Bar: rank range."


def table_of(site: Site, entries: Sequence[Entry], ident: str) -> BoardTable:
    """Return the table of the entries of one board."""
    ordered = sorted(entries, key=_order)
    units = wording.cost_units(ordered)
    energies = _column(ordered, [entry.cost("energy") for entry in ordered], "energy", units[0])
    times = _column(ordered, [entry.cost("speed") for entry in ordered], "speed", units[1])
    metrics = [entry.score.quality.figure for entry in ordered]
    qualities = _column(ordered, metrics, BUDGET, numbers.Unit("", 1.0))
    boards = site.boards.on(ordered[0].board_key)
    not_ranked = defaultdict(list)
    for entry in ordered:
        for prize, place in entry.places.items():
            if place.standing is None:
                not_ranked[prize, place.reason].append(entry)
    return BoardTable(
        ident,
        ordered[0].board_key,
        ordered[0].score,
        list(map(EntryRow, ordered, energies, times, qualities)),
        units,
        boards,
        sorted(not_ranked.items(), key=lambda group: group[0]),
        [
            (f"{ident}-chart-{number}", drawing, caption)
            for number, (drawing, caption) in enumerate(_charts(ordered, boards, ident))
            if drawing
        ],
    )


def _plain_text(text: str) -> str:
    """Return text for a spreadsheet; a quote in front keeps it from being read as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _record(entry: Entry) -> dict[str, object]:
    """Return one row of the CSV file; None where a figure or a place is missing."""
    score = entry.score
    energy, time, metric = (
        dict(figure) if figure else {}
        for figure in (entry.cost("energy"), entry.cost("speed"), score.quality.figure)
    )
    energy_rank, speed_rank, quality_rank = (
        standing.rank if (standing := entry.standing(prize)) else None for prize in PRIZES
    )
    texts = {key: getattr(score.entry, key) for key in ("submission", "title", "team", "division")}
    return {
        "workload": score.entry.workload,
        "machine": score.entry.machine,
        "ruleset": score.rules.ruleset,
        **{key: _plain_text(text) for key, text in texts.items()},
        "status": score.status,
        "energy_rank": energy_rank,
        "energy_to_target_j": energy.get("value"),
        "energy_low_j": energy.get("low"),
        "energy_high_j": energy.get("high"),
        "energy_method": energy.get("method"),
        "energy_simulated": energy.get("simulated"),
        "energy_domains": " ".join(energy["domains"]) if energy else None,
        "energy_eligible": score.energy.eligible,
        "speed_rank": speed_rank,
        "time_to_target_s": time.get("value"),
        "time_low_s": time.get("low"),
        "time_high_s": time.get("high"),
        "quality_rank": quality_rank,
        "metric": score.quality.name,
        "metric_value": metric.get("value"),
        "target": score.quality.target,
        "n": score.n,
        "failures": score.failures,
        "submission_sha256": score.entry.sha256,
    }


def csv_text(entries: Sequence[Entry]) -> str:
    """Write entries as CSV: SI units, unrounded, empty where missing."""
    # Objects keep whole numbers next to missing ones, and floats at full precision.
    rows = [
        {name: csv_cell(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in map(_record, sorted(entries, key=_order))
    ]
    return str(pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n"))


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    for workload in site.workloads:
        tables = [
            table_of(site, entries, f"t{number}")
            for number, entries in enumerate(site.entries_by_board(workload).values(), 1)
        ]
        entries, path = site.entries_on(workload), site.board_path(workload)
        values = {"tables": tables, "workload": workload, "not_ranked_max": NOT_RANKED_MAX}
        yield path, site.page(path, f"Board of {workload}", "board.html", values)
        boards = [board for table in tables for board in table.boards.values()]
        tree = {
            "boards": [board.model_dump(mode="json") for board in boards],
            "scores": [entry.score.model_dump(mode="json") for entry in entries],
        }
        yield path.replace(".html", ".csv"), csv_text(entries)
        yield path.replace(".html", ".json"), json_text(tree)


PAGE = Page(name="board", title="Boards", order=10, publish=_publish)
