"""The front page: for each workload and machine, who wins each prize, or why there is no winner."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.formats.imported import imported_documents
from harness.records import Leaderboard
from harness.report import numbers, wording
from harness.report.entries import BoardKey, Entry
from harness.report.pages.machines import hardware_board
from harness.report.site import Site, single_page

SINGLE_CARDS_MAX = 3
"""Boards with a single entry that are shown as cards; more of them share a table."""


class CardGroup(NamedTuple):
    """The cards of one board."""

    board_key: BoardKey
    entries: Sequence[Entry]
    runs_count: int
    cards: Sequence[Mapping[str, object]]


def _card(board: Leaderboard, entries: Sequence[Entry]) -> dict[str, object]:
    """Return the values of one prize; an entry is None where its score is not on this site."""
    words, result = wording.prize_words(board.prize), wording.board_result(board)
    by_row = {id(entry.standing(board.prize)): entry for entry in entries}
    ends = [end for row in result.standings for end in (row.score, row.low)]
    return {
        "title": words.title,
        "board": board,
        "result": result,
        "unit": numbers.unit_for(ends, words.unit),
        "entries": [by_row.get(id(row)) for row in result.standings],
        "difference": wording.difference_text(board),
    }


def groups_of(site: Site, workload: str) -> list[CardGroup]:
    """Return the cards of one workload, sorted by board."""
    groups = []
    for key, entries in site.entries_by_board(workload).items():
        cards = [_card(board, entries) for board in site.boards.on(key).values()]
        groups.append(CardGroup(key, entries, sum(len(entry.runs) for entry in entries), cards))
    return groups


def _values(site: Site) -> Mapping[str, object]:
    groups = {workload: groups_of(site, workload) for workload in site.workloads}
    machines = {
        workload: [hardware_board(board, site.entries, "") for board in boards]
        for workload in site.workloads
        if (boards := list(site.boards.of_machines(workload)))
    }
    single = [group for row in groups.values() for group in row if len(group.entries) == 1]
    # A few single entries have cards as well; many would hide the contests.
    folded = single if len(single) > SINGLE_CARDS_MAX else []
    shown = {
        workload: [group for group in row if group not in folded]
        for workload, row in groups.items()
    }
    imports = (rules.imported for rules, _ in imported_documents(site.results))
    return {
        "groups": {name: row for name, row in shown.items() if row or name in machines},
        "single": [group.entries[0] for group in folded],
        "imported": sorted({imported.source_format for imported in imports if imported}),
        "machines": machines,
    }


PAGE = single_page("index", "Leaderboards", 0, _values)
