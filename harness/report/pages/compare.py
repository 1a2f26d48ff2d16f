"""Two entries side by side, with the energy bridge between them; each against the first."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from harness.records import Figure
from harness.report import wording
from harness.report.bridge import Bridge, bridge, first_of, incomparable, sentence
from harness.report.entries import Entry, EntryRun, Ground
from harness.report.page import Page
from harness.report.site import Site
from harness.report.text import embedded_json
from harness.report.traces import envelope, power_of, trace_of

BINS = 120
TRACES_MAX = 200
"""Beyond that many entries the page carries no traces, so that it stays small."""


class Row(NamedTuple):
    """One entry against the first of its ground."""

    entry: Entry
    bridge: Bridge | None
    words: str
    badges: list[wording.Badge]
    """How its joules came about."""


class Section(NamedTuple):
    """The entries of one ground, and the one that they are held against."""

    ident: str
    ground: Ground
    first: Entry | None
    rows: tuple[Row, ...]
    badges: list[wording.Badge]
    """How the joules of the first came about."""


def _row(first: Entry, entry: Entry) -> Row:
    found = bridge(first.score, entry.score)
    why = incomparable(first.score, entry.score) or "one of them has no time"
    words = sentence(found) if found else f"not compared: {why}"
    return Row(entry, found, words, wording.figure_badges(entry.score.energy_to_target_j))


def sections_of(site: Site) -> list[Section]:
    """All grounds, with their entries in the order of joules."""
    sections: list[Section] = []
    for workload in site.workloads:
        for ground, entries in site.grounds(workload).items():
            first = first_of(entries)
            others = [entry for entry in entries if entry is not first]
            rows = tuple(_row(first, entry) for entry in others) if first else ()
            ordered = sorted(rows, key=lambda row: row.bridge.after_j if row.bridge else 1e300)
            ident = f"g{len(sections) + 1}"
            badges = wording.figure_badges(first.score.energy_to_target_j) if first else []
            sections.append(Section(ident, ground, first, tuple(ordered), badges))
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


def _power(entry: Entry) -> dict[str, Any] | None:
    """Watts of the first readable run over its disjoint domains, in few bins after the gun."""
    each = entry.opened().shown_run
    trace = trace_of(each) if each else None
    if each is None or each.run is None or trace is None or each.run.window.gun_ns is None:
        return None
    wraps_j = {domain.name: domain.wrap_j for domain in each.run.domains}
    gun_s = each.run.window.gun_ns / 1e9
    return _summed(each, {s.domain: s for s in power_of(trace, wraps_j)}, gun_s)


def _summed(each: EntryRun, series: dict[str, Any], gun_s: float) -> dict[str, Any] | None:
    run = each.run
    added = [name for name in each.score.energy_domains if name in series]
    if run is None or not added or run.window.end_ns is None:
        return None
    t_s = np.linspace(gun_s, run.window.end_ns / 1e9, BINS)
    total = np.zeros(BINS)
    for name in added:
        thin = envelope(series[name], BINS * 4)
        total += np.interp(t_s, thin.t_s, thin.mean_w)
    watts = [float(f"{value:.3g}") for value in total]
    return {"seconds": float(t_s[-1] - t_s[0]), "watts": watts, "seed": each.score.seed}


def _data(entry: Entry, *, with_power: bool) -> dict[str, Any]:
    score = entry.score
    return {
        "id": entry.anchor,
        "path": entry.path,
        "title": score.title or score.submission,
        "submission": score.submission,
        "team": score.team,
        "division": score.division,
        "ground": list(entry.ground),
        "status": score.status,
        "metric_name": score.metric_name,
        "better": score.better,
        "n": score.n,
        "failures": score.failures,
        "energy": _figure(score.energy_to_target_j),
        "time": _figure(score.time_to_target_s),
        "metric": _figure(score.metric),
        "steps": _figure(score.steps_to_target),
        "cpu": _figure(score.cpu_s),
        "memory": score.peak_rss_bytes,
        "power": _power(entry) if with_power else None,
    }


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    with_power = len(site.entries) <= TRACES_MAX
    data = [_data(entry, with_power=with_power) for entry in site.entries]
    values = {
        "sections": sections_of(site),
        "data": embedded_json(data),
        "scripts": ("site.js", "compare.js"),
    }
    yield "compare.html", site.page("compare.html", "Compare", "compare.html", **values)


PAGE = Page(name="compare", title="Compare", order=30, publish=_publish, landing="compare.html")
