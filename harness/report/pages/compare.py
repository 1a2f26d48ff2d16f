"""The comparison page: two entries side by side, with the energy bridge between them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from harness.records import Figure
from harness.report import numbers, wording
from harness.report.charts.bars import change_text
from harness.report.digest import Digest
from harness.report.entries import BoardKey, Entry
from harness.report.site import Site, single_page
from harness.report.text import embedded_json
from harness.score.bridge import LABELS, Bridge, Effort, bridge_between, factors, not_comparable

UNITS = {"steps": "", "step_s": "s", "time_s": "s", "watts": "W"}
"""Base units of the factors."""

TRACES_MAX = 200
"""With more entries the page has no power traces, so that it stays small."""

PAIRS_MAX = 40
"""With more entries on a workload only bridges from the first of each board are computed."""


class Section(NamedTuple):
    """The entries of one board, and the one that they are compared with."""

    ident: str
    board_key: BoardKey
    first: Entry | None
    rows: Sequence[tuple[Entry, Bridge | None, str]]
    """The other entries with the bridges to them, and with the causes in words."""


def first_of(entries: Sequence[Entry]) -> Entry | None:
    """Return the entry with the least energy, ranked ones first; None where none has energy."""

    def key(entry: Entry) -> tuple[bool, float, str]:
        energy = entry.cost("energy")
        return entry.standing("energy") is None, energy.value if energy else 0.0, entry.anchor

    return min((entry for entry in entries if entry.cost("energy")), key=key, default=None)


def sections_of(site: Site) -> list[Section]:
    """Return all boards, with their entries in the order of energy."""
    sections = []
    for number, (key, entries) in enumerate(site.all_by_board(), 1):
        first, rows = first_of(entries), []
        for entry in entries:
            if first is None or entry is first:
                continue
            bridge = bridge_between(first.score, entry.score)
            reason = not_comparable(first.score, entry.score)
            words = bridge.text(numbers.percent) if bridge else f"not comparable: {reason}"
            rows.append((entry, bridge, words))
        rows.sort(key=lambda row: row[1].after_j if row[1] else float("inf"))
        sections.append(Section(f"g{number}", key, first, rows))
    return sections


def _figure_texts(figure: Figure | None, base: str) -> tuple[str, str]:
    """Return a figure with its unit, and its interval."""
    if figure is None:
        return numbers.MISSING, numbers.MISSING
    unit = numbers.unit_for([figure.value], base)
    text = wording.formatted(figure, unit)
    symbol = f"{numbers.GAP}{unit.symbol}" if unit.symbol else ""
    badges = [badge.text for badge in wording.figure_badges(figure) if badge.style == "modelled"]
    interval = f"{text.interval}{symbol}" if text.interval else numbers.MISSING
    return f"{text.value}{symbol}{''.join(f' ({badge})' for badge in badges)}", interval


def _data(entry: Entry, digest: Digest, *, with_power: bool) -> dict[str, Any]:
    """Return what the script shows of one entry, as text."""
    score, energy, time = entry.score, entry.cost("energy"), entry.cost("speed")
    arrow = "↑" if score.quality.better == "higher" else "↓"
    energy_texts, time_texts = _figure_texts(energy, "J"), _figure_texts(time, "s")
    metric_texts = _figure_texts(score.quality.figure, "")
    causes: dict[str, float] = {}
    if energy and time and time.value > 0:
        causes = factors(Effort(energy.value, time.value, None))
        steps = score.costs.steps_to_target
        if steps and steps.value > 0:
            causes |= factors(Effort(energy.value, time.value, steps.value))
    return {
        "id": entry.anchor,
        "path": entry.path,
        "title": entry.title,
        "board": list(entry.board_key),
        "joules": energy.value if energy else None,
        "energy": energy_texts[0],
        "figures": [
            ["Energy to target ↓", energy_texts[0], "energy"],
            ["interval", energy_texts[1], ""],
            ["Time to target ↓", time_texts[0], "time"],
            ["interval", time_texts[1], ""],
            [f"{score.quality.name} {arrow}", metric_texts[0], ""],
            ["interval", metric_texts[1], ""],
            ["CPU seconds", _figure_texts(score.costs.cpu_s, "s")[0], "cpu"],
            ["Peak memory", numbers.quantity(score.peak_rss_bytes, "B"), ""],
            ["Seeds, failed runs", f"{score.n}, {score.failures}", ""],
        ],
        "factors": {name: numbers.quantity(x, UNITS[name]) for name, x in causes.items()},
        "facts": [
            ["Workload", score.entry.workload],
            ["Machine", score.entry.machine],
            ["Rules", score.rules.ruleset],
            ["Submission", score.entry.submission],
            ["Team", score.entry.team],
            ["Division", score.entry.division],
            ["Status", score.status.replace("_", " ")],
        ],
        "power": digest.power if with_power else None,
        "settings": digest.settings,
    }


def _ratio_texts(before: float, after: float) -> list[str]:
    return [numbers.plain(after / before), numbers.plain(before / after)]


def _pair(a: Entry, b: Entry) -> dict[str, Any] | None:
    """Return the bridge from `a` to `b` for the script, with the ratios in both directions."""
    bridge = bridge_between(a.score, b.score)
    if bridge is None:
        return None
    costs = {
        "energy": (a.cost("energy"), b.cost("energy")),
        "time": (a.cost("speed"), b.cost("speed")),
        "cpu": (a.score.costs.cpu_s, b.score.costs.cpu_s),
    }
    largest = max(bridge.before_j, bridge.after_j)
    return {
        "ratios": {
            name: _ratio_texts(one.value, other.value)
            for name, (one, other) in costs.items()
            if one and other and one.value > 0 and other.value > 0
        },
        "bars": [
            {
                "factor": bar.factor,
                "joules": float(f"{bar.energy_j:.6g}"),
                "texts": [change_text(sign * bar.energy_j, largest) for sign in (1, -1)],
                "ratio": _ratio_texts(bar.before, bar.after),
            }
            for bar in bridge.bars
        ],
    }


def pairs_of(site: Site) -> dict[str, dict[str, Any]]:
    """Return the bridges of entries on one workload, by the ids of both entries."""
    pairs = {}
    for workload in site.workloads:
        entries = site.entries_on(workload)
        firsts = [first_of(group) for group in site.entries_by_board(workload).values()]
        for a, b in combinations(entries, 2):
            if (len(entries) <= PAIRS_MAX or a in firsts or b in firsts) and (pair := _pair(a, b)):
                pairs[f"{a.anchor} {b.anchor}"] = pair
    return pairs


def _values(site: Site) -> Mapping[str, object]:
    with_power = len(site.entries) <= TRACES_MAX
    entries = [_data(entry, site.digest(entry), with_power=with_power) for entry in site.entries]
    # Equal settings are written once: entries have an index into the list of settings.
    settings: list[dict[str, str]] = []
    for item in entries:
        if item["settings"] not in settings:
            settings.append(item["settings"])
        item["settings"] = settings.index(item["settings"])
    data = {"entries": entries, "settings": settings, "pairs": pairs_of(site), "labels": LABELS}
    return {"sections": sections_of(site), "data": embedded_json(data)}


PAGE = single_page("compare", "Compare", 30, _values, ("site.js", "compare.js"))
