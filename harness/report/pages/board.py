"""The page of a workload's boards: every entry with its costs, intervals, ranks and status."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from harness.records import Figure, Leaderboard, Score
from harness.report import numbers, wording
from harness.report.charts import plane
from harness.report.charts.ranks import rank_chart
from harness.report.charts.svg import Scale
from harness.report.charts.whisker import shared_scale, whisker
from harness.report.entries import BoardKey, Entry, Placement
from harness.report.site import Page, Site
from harness.report.text import json_text

BUDGET = "budget"
"""The prize that ranks by the metric."""

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


class NotRanked(NamedTuple):
    """Entries that one prize does not rank, for one reason."""

    title: str
    reason: str
    entries: Sequence[Entry]


class Chart(NamedTuple):
    """A drawing with its caption."""

    ident: str
    drawing: Markup
    caption: str


class BoardTable(NamedTuple):
    """The entries of one board."""

    ident: str
    board_key: BoardKey
    score: Score
    """Any of its scores, for metric, target and direction."""
    rows: Sequence[EntryRow]
    units: tuple[numbers.Unit, numbers.Unit]
    boards: dict[str, Leaderboard]
    notes: Sequence[str]
    not_ranked: Sequence[NotRanked]
    charts: Sequence[Chart]


class _Column(NamedTuple):
    """What the cells of one quantity have in common."""

    prize: str
    unit: numbers.Unit
    scale: Scale | None
    """Scale of the intervals."""

    def cell(self, entry: Entry, figure: Figure | None) -> CostCell:
        place = entry.places.get(self.prize)
        standing = entry.standing(self.prize)
        reason = place.reason if place else entry.score.reason or "not on this board"
        style = self.prize if standing else "outside"
        return CostCell(
            figure,
            self.unit,
            whisker(figure, self.scale, "modelled" if wording.is_estimate(figure) else style),
            place,
            reason,
        )


def _rank(entry: Entry, prize: str) -> int:
    standing = entry.standing(prize)
    return standing.rank if standing else NO_RANK


def _order(entry: Entry) -> tuple[object, ...]:
    """Return the sort key: energy rank, speed rank, then time and name."""
    time = entry.cost("speed")
    ranks = (_rank(entry, prize) for prize in ("energy", "speed", BUDGET))
    return (*ranks, time.value if time else float("inf"), entry.anchor)


def _not_ranked(entries: Sequence[Entry]) -> list[NotRanked]:
    """Return the entries without a place by prize and reason."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        for prize, place in entry.places.items():
            if place.standing is None:
                groups.setdefault((prize, place.reason), []).append(entry)
    return [
        NotRanked(wording.prize_words(prize).title, reason, groups[prize, reason])
        for prize, reason in sorted(groups)
    ]


def _charts(
    entries: Sequence[Entry], boards: dict[str, Leaderboard], ident: str
) -> Iterator[Chart]:
    """Yield the planes and the rank ranges that there are data for."""
    score = entries[0].score
    metric = plane.Axis(score.quality.name, "", score.quality.better, log=False)
    costs = plane.with_probabilities(plane.dots_of(entries, against_metric=False), entries)
    quality = plane.dots_of(entries, against_metric=True)
    charts = [
        (
            plane.plane_chart(costs, plane.TIME, plane.ENERGY, f"{ident}-cost"),
            f"{PLANE_CAPTION} {plane.front_text(costs)}".strip(),
        ),
        (plane.plane_chart(quality, plane.ENERGY, metric, f"{ident}-quality"), PLANE_CAPTION),
    ]
    for prize, board in boards.items():
        names = [row.entry.title or row.entry.submission for row in board.standings]
        chart = rank_chart(board.standings, names, prize, f"{ident}-rank-{prize}")
        charts.append((chart, "Dot: rank by value. Bar: rank range."))
    for number, (drawing, caption) in enumerate(charts):
        if drawing is not None:
            yield Chart(f"{ident}-chart-{number}", drawing, caption)


def table_of(site: Site, entries: Sequence[Entry], ident: str) -> BoardTable:
    """Return the table of the entries of one board."""
    ordered = sorted(entries, key=_order)
    energies = [entry.cost("energy") for entry in ordered]
    times = [entry.cost("speed") for entry in ordered]
    units = (
        numbers.unit_for((figure.value for figure in energies if figure), "J"),
        numbers.unit_for((figure.value for figure in times if figure), "s"),
    )
    energy = _Column("energy", units[0], shared_scale(energies))
    time = _Column("speed", units[1], shared_scale(times))
    quality = _Column(BUDGET, numbers.Unit("", 1.0), None)
    boards = site.boards.on(ordered[0].board_key)
    return BoardTable(
        ident,
        ordered[0].board_key,
        ordered[0].score,
        [
            EntryRow(
                entry,
                energy.cell(entry, entry.cost("energy")),
                time.cell(entry, entry.cost("speed")),
                quality.cell(entry, entry.score.quality.figure),
            )
            for entry in ordered
        ],
        units,
        boards,
        [
            f"{wording.prize_words(prize).title}: {board.note.rstrip('.')}."
            for prize, board in boards.items()
            if board.note
        ],
        _not_ranked(ordered),
        list(_charts(ordered, boards, ident)),
    )


def _plain_text(text: str) -> str:
    """Return text for a spreadsheet; a quote in front keeps it from being read as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _ends(figure: Figure | None) -> tuple[float | None, float | None, float | None]:
    return (figure.value, figure.low, figure.high) if figure else (None, None, None)


def _record(entry: Entry) -> dict[str, object]:
    """Return one row of the CSV file."""
    score, energy = entry.score, entry.cost("energy")
    energy_j, energy_low_j, energy_high_j = _ends(energy)
    time_s, time_low_s, time_high_s = _ends(entry.cost("speed"))
    ranks = {
        prize: standing.rank if (standing := entry.standing(prize)) else None
        for prize in ("energy", "speed", BUDGET)
    }
    return {
        "workload": score.entry.workload,
        "machine": score.entry.machine,
        "ruleset": score.rules.ruleset,
        "submission": _plain_text(score.entry.submission),
        "title": _plain_text(score.entry.title),
        "team": _plain_text(score.entry.team),
        "division": _plain_text(score.entry.division),
        "status": score.status,
        "energy_rank": ranks["energy"],
        "energy_to_target_j": energy_j,
        "energy_low_j": energy_low_j,
        "energy_high_j": energy_high_j,
        "energy_method": energy.method if energy else None,
        "energy_simulated": energy.simulated if energy else None,
        "energy_domains": " ".join(energy.domains) if energy else None,
        "energy_eligible": score.energy.eligible,
        "speed_rank": ranks["speed"],
        "time_to_target_s": time_s,
        "time_low_s": time_low_s,
        "time_high_s": time_high_s,
        "quality_rank": ranks[BUDGET],
        "metric": score.quality.name,
        "metric_value": score.quality.figure.value if score.quality.figure else None,
        "target": score.quality.target,
        "n": score.n,
        "failures": score.failures,
        "submission_sha256": score.entry.sha256,
    }


def csv_text(entries: Sequence[Entry]) -> str:
    """Write entries as CSV: SI units, unrounded, empty where missing."""
    # Objects keep whole numbers next to missing ones, and floats at full precision.
    rows = [_record(entry) for entry in sorted(entries, key=_order)]
    return str(pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n"))


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    for workload in site.workloads:
        tables = [
            table_of(site, entries, f"t{number}")
            for number, entries in enumerate(site.entries_by_board(workload).values(), 1)
        ]
        entries, path = site.entries_on(workload), site.board_path(workload)
        boards = [board for table in tables for board in table.boards.values()]
        stem = path.removesuffix(".html")
        values = {
            "tables": tables,
            "workload": workload,
            "stem": stem.rpartition("/")[2],
            "not_ranked_max": NOT_RANKED_MAX,
        }
        yield path, site.page(path, f"Board of {workload}", "board.html", values)
        yield f"{stem}.csv", csv_text(entries)
        yield (
            f"{stem}.json",
            json_text(
                {
                    "boards": [board.model_dump(mode="json") for board in boards],
                    "scores": [entry.score.model_dump(mode="json") for entry in entries],
                }
            ),
        )


PAGE = Page(name="board", title="Boards", order=10, publish=_publish)
