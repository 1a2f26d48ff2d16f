"""The decision record of a prize: who, by which rule, over whom, and how firm that is."""

from collections.abc import Iterator
from typing import NamedTuple

from harness.records import Leaderboard, Ruleset
from harness.report import numbers, sensitivity, wording
from harness.report.entries import BoardKey, Entry
from harness.report.site import Page, Site
from harness.report.slugs import Names


class Decision(NamedTuple):
    """One prize on one board_key."""

    path: str
    title: str
    board_key: BoardKey
    board: Leaderboard
    verdict: wording.BoardResult
    unit: numbers.Unit
    rules: Ruleset | None
    lead: str
    variations: list[sensitivity.Variation]
    entries: dict[str, Entry]
    """By submission as the board calls it."""


def _named(entries: list[Entry], prize: str) -> dict[str, Entry]:
    found = {}
    for entry in entries:
        place = entry.places.get(prize)
        row = place and (place.standing or place.unranked)
        if row:
            found[row.entry.submission] = entry
    return found


def _decision(
    site: Site, board_key: BoardKey, entries: list[Entry], board: Leaderboard
) -> Decision:
    title, base = wording.PRIZES.get(board.prize, (board.prize, ""))
    by_name = _named(entries, board.prize)
    ranked = {
        row.entry.submission: by_name[row.entry.submission].score
        for row in board.standings
        if row.entry.submission in by_name
    }
    named = [rules for rules in site.rulesets if rules.name == board_key.ruleset]
    return Decision(
        "",
        f"{title} on {board_key.workload}",
        board_key,
        board,
        wording.board_result(board),
        numbers.unit_for((row.score for row in board.standings), base),
        named[0] if len(named) == 1 else None,
        sensitivity.lead_text(board),
        sensitivity.variations(board, ranked) if board.standings else [],
        by_name,
    )


def decisions_of(site: Site) -> list[Decision]:
    """Every prize on every board_key, each with a path of its own."""
    names, found = Names(), []
    for workload in site.workloads:
        for board_key, entries in site.entries_by_board(workload).items():
            for prize, board in site.boards.on(board_key).items():
                parts = (prize, workload, board_key.machine, board_key.ruleset, board_key.division)
                path = f"award/{names.take(*parts, tag=board_key.version or 'none')}.html"
                decision = _decision(site, board_key, entries, board)
                found.append(decision._replace(path=path))
    return found


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    found = decisions_of(site)
    yield "awards.html", site.page("awards.html", "Awards", "awards.html", decisions=found)
    for item in found:
        yield item.path, site.page(item.path, f"Award: {item.title}", "award.html", decision=item)


PAGE = Page(name="award", title="Awards", order=35, publish=_publish, landing="awards.html")
