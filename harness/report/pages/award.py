"""The award records of all prizes, as pages made for printing."""

from collections.abc import Iterator
from typing import NamedTuple

from harness.prizes import awards_as_scored
from harness.records import Award, EntryRef, Ruleset
from harness.report import numbers, wording
from harness.report.entries import Entry
from harness.report.site import Page, Site
from harness.report.text import UniqueNames
from harness.rules.load import read_resolved

HEADLINES = {
    "awarded": "Winner",
    "tied": "Tied",
    "unopposed": "Only eligible entry",
    "not_awarded": "No eligible entry",
}


class AwardPage(NamedTuple):
    """One award record with what its page needs beside it."""

    path: str
    title: str
    award: Award
    headline: str
    unit: numbers.Unit
    rules: Ruleset
    entries: dict[tuple[EntryRef, str], Entry]
    """The entries that have a page of their own, by entry and ruleset."""


def award_pages(site: Site) -> list[AwardPage]:
    """The decision on every prize for every group of scores, each with a path of its own."""
    names, pages = UniqueNames(), []
    entries = {(entry.score.entry, entry.score.rules.ruleset): entry for entry in site.entries}
    ruleset = site.rulesets[0] if len(site.rulesets) == 1 else None
    for award in awards_as_scored(site.scores, ruleset, site.results):
        board = award.board
        words = wording.PRIZES.get(award.prize)
        title, base_unit = (words.title, words.unit) if words else (award.title, board.unit)
        title = f"{title} on {board.workload}"
        parts = (award.prize, board.workload, board.machine, board.ruleset, board.division)
        name = names.take(*parts, tag=board.workload_version or "none")
        path, headline = f"award/{name}.html", HEADLINES[award.outcome]
        unit = numbers.unit_for((row.score for row in board.standings), base_unit)
        rules = read_resolved(award.rules_text, name)
        pages.append(AwardPage(path, title, award, headline, unit, rules, entries))
    return pages


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    pages = award_pages(site)
    yield "awards.html", site.page("awards.html", "Awards", "awards.html", {"decisions": pages})
    for page in pages:
        title = f"Award: {page.title}"
        yield page.path, site.page(page.path, title, "award.html", {"decision": page})


PAGE = Page(name="award", title="Awards", order=35, publish=_publish, landing="awards.html")
