"""The front page: for each workload and machine, who wins the two prizes, or why nobody does."""

from collections.abc import Iterator
from typing import NamedTuple

from harness.formats.imported import imported_documents
from harness.records import Leaderboard
from harness.report import numbers, wording
from harness.report.entries import BoardKey, Entry
from harness.report.hardware import hardware_board
from harness.report.site import Page, Site

LONE_CARDS_MAX = 3
"""Grounds with a single entry that are shown as cards; more of them share a table."""


class Card(NamedTuple):
    """One prize on one machine."""

    title: str
    board: Leaderboard
    verdict: wording.BoardResult
    unit: numbers.Unit
    entries: tuple[Entry | None, ...]
    """Pages of the verdict's standings."""
    lead: str


class CardGroup(NamedTuple):
    """The cards of one board_key."""

    board_key: BoardKey
    entries: tuple[Entry, ...]
    runs_count: int
    cards: tuple[Card, ...]

    @property
    def alone(self) -> bool:
        """Whether one entry has nobody to compete with, so that a line says all of it."""
        return len(self.entries) == 1


def _card(prize: str, board: Leaderboard, entries: list[Entry]) -> Card:
    title, base = wording.PRIZES.get(prize, (prize, ""))
    verdict = wording.board_result(board)
    ends = [end for row in verdict.standings for end in (row.score, row.low)]
    by_row = {
        id(place.standing): entry
        for entry in entries
        if (place := entry.places.get(prize)) and place.standing
    }
    found = tuple(by_row.get(id(row)) for row in verdict.standings)
    unit = numbers.unit_for(ends, base)
    return Card(title, board, verdict, unit, found, wording.lead_text(board))


def groups_of(site: Site, workload: str) -> list[CardGroup]:
    """The groups of one workload, in stable order."""
    groups = []
    for board_key, entries in site.entries_by_board(workload).items():
        boards = site.boards.on(board_key)
        cards = tuple(_card(prize, board, entries) for prize, board in boards.items())
        runs = sum(len(entry.runs) for entry in entries)
        groups.append(CardGroup(board_key, tuple(entries), runs, cards))
    return groups


class Lone(NamedTuple):
    """An entry that has nobody to compete with yet."""

    group: CardGroup
    entry: Entry
    energy: numbers.FormattedFigure
    energy_unit: numbers.Unit
    energy_badges: list[wording.Badge]
    time: numbers.FormattedFigure
    time_unit: numbers.Unit
    status: wording.Badge


def _lone(group: CardGroup) -> Lone:
    entry = group.entries[0]
    energy, time = entry.score.costs.energy_to_target_j, entry.score.costs.time_to_target_s
    units = (
        numbers.unit_for([energy.value] if energy else [], "J"),
        numbers.unit_for([time.value] if time else [], "s"),
    )
    return Lone(
        group,
        entry,
        wording.shown(energy, units[0]),
        units[0],
        wording.figure_badges(energy),
        wording.shown(time, units[1]),
        units[1],
        wording.status_badge(entry.score.status),
    )


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    every = {workload: groups_of(site, workload) for workload in site.workloads}
    imported = sorted(
        {
            rules.imported.source_format
            for rules, _ in imported_documents(site.results)
            if rules.imported
        }
    )
    machines = {
        workload: [hardware_board(board, site.entries, "") for board in boards]
        for workload in site.workloads
        if (boards := site.boards.of_machines(workload))
    }
    alone = [group for found in every.values() for group in found if group.alone]
    # A few lone entries get cards as well; among many they would bury the contests.
    folded = alone if len(alone) > LONE_CARDS_MAX else []
    groups = {
        workload: shown
        for workload, found in every.items()
        if (shown := [group for group in found if group not in folded]) or workload in machines
    }
    values = {
        "groups": groups,
        "lone": [_lone(group) for group in folded],
        "imported": imported,
        "machines": machines,
        "wording": wording,
    }
    yield "index.html", site.page("index.html", "Leaderboards", "index.html", **values)


PAGE = Page(name="index", title="Leaderboards", order=0, publish=_publish, landing="index.html")
