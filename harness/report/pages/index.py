"""The front page: for each workload and machine, who wins the two prizes, or why nobody does."""

from collections.abc import Iterator
from typing import NamedTuple

from harness.records import Leaderboard
from harness.report import numbers, wording
from harness.report.entries import Entry, Ground
from harness.report.hardware import hardware_board
from harness.report.page import Page
from harness.report.pages.imported import documents_of
from harness.report.site import Site


class Card(NamedTuple):
    """One prize on one machine."""

    title: str
    board: Leaderboard
    verdict: wording.Verdict
    unit: numbers.Unit
    entries: tuple[Entry | None, ...]
    """Pages of the verdict's standings."""
    lead: str


class Group(NamedTuple):
    """The cards of one ground."""

    ground: Ground
    entries_count: int
    runs_count: int
    cards: tuple[Card, ...]


def _card(prize: str, board: Leaderboard, entries: list[Entry]) -> Card:
    title, base = wording.PRIZES.get(prize, (prize, ""))
    verdict = wording.verdict(board)
    ends = [end for row in verdict.standings for end in (row.score, row.low)]
    by_row = {
        id(place.standing): entry
        for entry in entries
        if (place := entry.places.get(prize)) and place.standing
    }
    found = tuple(by_row.get(id(row)) for row in verdict.standings)
    unit = numbers.unit_for(ends, base)
    return Card(title, board, verdict, unit, found, wording.lead_text(board))


def groups_of(site: Site, workload: str) -> list[Group]:
    """The groups of one workload, in stable order."""
    groups = []
    for ground, entries in site.grounds(workload).items():
        boards = site.boards.on(ground)
        cards = tuple(_card(prize, board, entries) for prize, board in boards.items())
        runs = sum(len(entry.runs) for entry in entries)
        groups.append(Group(ground, len(entries), runs, cards))
    return groups


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    groups = {workload: groups_of(site, workload) for workload in site.workloads}
    imported = sorted(
        {rules.imported.source_format for rules, _ in documents_of(site) if rules.imported}
    )
    machines = {
        workload: [hardware_board(board, site.entries, "") for board in boards]
        for workload in site.workloads
        if (boards := site.boards.of_machines(workload))
    }
    values = {"groups": groups, "imported": imported, "machines": machines}
    yield "index.html", site.page("index.html", "Leaderboards", "index.html", **values)


PAGE = Page(name="index", title="Leaderboards", order=0, publish=_publish, landing="index.html")
