"""Two entries side by side, with the energy bridge between them; each against the first."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.records import Figure
from harness.report import wording
from harness.report.bridge import Bridge, bridge, first_of, incomparable, sentence
from harness.report.digest import Digest
from harness.report.entries import BoardKey, Entry
from harness.report.site import Page, Site
from harness.report.text import embedded_json

TRACES_MAX = 200
"""Beyond that many entries the page carries no traces, so that it stays small."""


class BridgeRow(NamedTuple):
    """One entry against the first of its board_key."""

    entry: Entry
    bridge: Bridge | None
    words: str
    badges: list[wording.Badge]
    """How its joules came about."""


class Section(NamedTuple):
    """The entries of one board_key, and the one that they are held against."""

    ident: str
    board_key: BoardKey
    first: Entry | None
    rows: tuple[BridgeRow, ...]
    badges: list[wording.Badge]
    """How the joules of the first came about."""


def _row(first: Entry, entry: Entry) -> BridgeRow:
    found = bridge(first.score, entry.score)
    why = incomparable(first.score, entry.score) or "one of them has no time"
    words = sentence(found) if found else f"not compared: {why}"
    return BridgeRow(
        entry, found, words, wording.figure_badges(entry.score.costs.energy_to_target_j)
    )


def sections_of(site: Site) -> list[Section]:
    """All grounds, with their entries in the order of joules."""
    sections: list[Section] = []
    for workload in site.workloads:
        for board_key, entries in site.entries_by_board(workload).items():
            first = first_of(entries)
            others = [entry for entry in entries if entry is not first]
            rows = tuple(_row(first, entry) for entry in others) if first else ()
            ordered = sorted(rows, key=lambda row: row.bridge.after_j if row.bridge else 1e300)
            ident = f"g{len(sections) + 1}"
            badges = wording.figure_badges(first.score.costs.energy_to_target_j) if first else []
            sections.append(Section(ident, board_key, first, tuple(ordered), badges))
    return sections


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "method": figure.method,
        "simulated": figure.simulated,
        "domains": list(figure.domains),
    }


def _data(entry: Entry, digest: Digest, *, with_power: bool) -> dict[str, Any]:
    score = entry.score
    return {
        "id": entry.anchor,
        "path": entry.path,
        "title": score.entry.title or score.entry.submission,
        "submission": score.entry.submission,
        "team": score.entry.team,
        "division": score.entry.division,
        "board_key": list(entry.board_key),
        "status": score.status,
        "metric_name": score.quality.name,
        "better": score.quality.better,
        "n": score.n,
        "failures": score.failures,
        "energy": _figure(score.costs.energy_to_target_j),
        "time": _figure(score.costs.time_to_target_s),
        "metric": _figure(score.quality.figure),
        "steps": _figure(score.costs.steps_to_target),
        "cpu": _figure(score.costs.cpu_s),
        "memory": score.peak_rss_bytes,
        "power": digest.power if with_power else None,
        "settings": digest.settings,
    }


def _shared(data: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Take the set-ups out of the entries, each once; what is left there is its number."""
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    for item in data:
        key = tuple(item["settings"].items())
        item["settings"] = numbers.setdefault(key, len(numbers))
    return [dict(key) for key in numbers]


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    with_power = len(site.entries) <= TRACES_MAX
    data = [_data(entry, site.digests.of(entry), with_power=with_power) for entry in site.entries]
    settings = _shared(data)
    values = {
        "sections": sections_of(site),
        "data": embedded_json(data),
        "settings": embedded_json(settings),
        "scripts": ("site.js", "compare.js"),
    }
    yield "compare.html", site.page("compare.html", "Compare", "compare.html", **values)


PAGE = Page(name="compare", title="Compare", order=30, publish=_publish, landing="compare.html")
