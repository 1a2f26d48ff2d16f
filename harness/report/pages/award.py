"""The decision record of a prize: who, by which rule, over whom, and how firm that is."""

from collections.abc import Iterator
from typing import NamedTuple

from harness.records import Leaderboard, Ruleset
from harness.report import numbers, sensitivity, wording
from harness.report.entries import Entry, Ground
from harness.report.page import Page
from harness.report.site import Site
from harness.report.slugs import Names


class Decision(NamedTuple):
    """One prize on one ground."""

    path: str
    title: str
    ground: Ground
    board: Leaderboard
    verdict: wording.Verdict
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
            found[row.submission] = entry
    return found


def _decision(site: Site, ground: Ground, entries: list[Entry], board: Leaderboard) -> Decision:
    title, base = wording.PRIZES.get(board.prize, (board.prize, ""))
    by_name = _named(entries, board.prize)
    ranked = {
        row.submission: by_name[row.submission].score
        for row in board.standings
        if row.submission in by_name
    }
    named = [rules for rules in site.rulesets if rules.name == ground.ruleset]
    return Decision(
        "",
        f"{title} on {ground.workload}",
        ground,
        board,
        wording.verdict(board),
        numbers.unit_for((row.score for row in board.standings), base),
        named[0] if len(named) == 1 else None,
        sensitivity.lead_text(board),
        sensitivity.variations(board, ranked) if board.standings else [],
        by_name,
    )


def decisions_of(site: Site) -> list[Decision]:
    """Every prize on every ground, each with a path of its own."""
    names, found = Names(), []
    for workload in site.workloads:
        for ground, entries in site.grounds(workload).items():
            for prize, board in site.boards.on(ground).items():
                parts = (prize, workload, ground.machine, ground.ruleset, ground.division)
                path = f"award/{names.take(*parts, tag=ground.version or 'none')}.html"
                decision = _decision(site, ground, entries, board)
                found.append(decision._replace(path=path))
    return found


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    found = decisions_of(site)
    yield "awards.html", site.page("awards.html", "Awards", "awards.html", decisions=found)
    for item in found:
        yield item.path, site.page(item.path, f"Award: {item.title}", "award.html", decision=item)


PAGE = Page(name="award", title="Awards", order=35, publish=_publish, landing="awards.html")
