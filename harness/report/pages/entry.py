"""The page of an entry: verdict, places, runs, curves, power, joules, machine, findings."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from harness.measure.energy import Energy
from harness.records import Domain, Figure, Finding, RunScore, Score
from harness.registry import sources
from harness.report import numbers, wording
from harness.report.breakdown import Breakdown, breakdown_of, energies_of
from harness.report.bridge import bridge, first_of, sentence
from harness.report.charts.bars import bars_chart, style_of
from harness.report.charts.curve import (
    ENERGY,
    TIME,
    Band,
    Drawn,
    MetricCurve,
    band_of,
    curve_chart,
)
from harness.report.charts.power import Track, power_chart, tracks_of
from harness.report.charts.waterfall import waterfall_chart
from harness.report.digest import Digest
from harness.report.entries import Entry, EntryRun
from harness.report.finite import json_text
from harness.report.hints import Hint, hints_of
from harness.report.phases import phases_of, totals_s
from harness.report.samples import CHARS_MAX, samples_json, thinning
from harness.report.site import Page, Site
from harness.report.slugs import slug
from harness.report.traces import trace_of

_P_TOLD = re.compile(r"\(p = [^)]*\)")


class PowerView(NamedTuple):
    """The power trace of one run with its legend."""

    each: EntryRun
    tracks: list[Track]
    chart: Markup | None
    phases: dict[str, tuple[int, float]]
    """How often and how long each phase occurred."""
    told: Breakdown | None
    """Joules by domain and segment."""
    bars: Markup | None
    hints: list[Hint]
    energies: Mapping[str, Energy]
    """Joules with the terms of their uncertainty, by domain; of the run that stands for all."""
    missing: str
    """Why there is no chart; empty where there is one."""
    samples: Markup | None = None
    """The readings, for the script that looks closer."""
    every: float = 1.0
    """How many readings stand behind each of these."""


class DomainView(NamedTuple):
    """Joules of one domain."""

    name: str
    figure: Figure
    shown: numbers.FormattedFigure
    domain: Domain | None
    added: bool
    """Whether it is part of the total."""


class FindingView(NamedTuple):
    """A finding with the seeds that it was made in; none where it is about the whole score."""

    finding: Finding
    seeds: tuple[int, ...]


def _no_trace(each: EntryRun) -> str:
    if each.run is None:
        return each.fault
    if each.trace_path is None:
        return "no meter was read in this run: its joules are missing, not zero"
    return "the trace holds no reading that can be used"


def power_view(each: EntryRun, number: int, chars_max: int, *, in_full: bool) -> PowerView:
    """The power trace of one run.

    Args:
        each: the run.
        number: makes its ids unique.
        chars_max: length of the readings that come with the chart, about.
        in_full: whether the terms of the joules' uncertainty are asked for.
    """
    trace = trace_of(each)
    tracks = tracks_of(each, trace)
    chart = power_chart(each, tracks, f"power-{number}")
    end_ns = each.run.window.end_ns if each.run else None
    phases = totals_s(phases_of(each.events, end_ns or 0))
    told = breakdown_of(each, trace)
    bars = bars_chart(told, f"bars-{number}") if told else None
    missing = "" if chart else _no_trace(each)
    energies = energies_of(each, trace) if in_full else {}
    hints = hints_of(each, told)
    view = PowerView(each, tracks, chart, phases, told, bars, hints, energies, missing)
    if chart is None or each.run is None:
        return view
    zero_s = (each.run.window.gun_ns or 0) / 1e9
    samples = samples_json(tracks, zero_s, chars_max)
    return view._replace(samples=samples, every=thinning(tracks, chars_max))


def domains_of(entry: Entry) -> list[DomainView]:
    """Joules by domain; the ones that make up the total come first."""
    figures = entry.score.energy.by_domain_j
    total = entry.score.costs.energy_to_target_j
    unit = numbers.unit_for((figure.value for figure in figures.values()), "J")
    known = {
        domain.name: domain
        for run in entry.runs
        if run.run is not None
        for domain in run.run.domains
    }
    added = set(total.domains) if total else set()
    views = [
        DomainView(
            name,
            figure,
            numbers.figure(figure.value, figure.low, figure.high, unit),
            known.get(name),
            name in added,
        )
        for name, figure in figures.items()
    ]
    return sorted(views, key=lambda view: (not view.added, view.name))


def findings_of(entry: Entry) -> list[FindingView]:
    """Everything that checks said of the entry or its runs, each said once, worst first."""
    seeds: dict[Finding, set[int]] = {finding: set() for finding in entry.score.findings}
    for each in entry.runs:
        own = each.run.findings if each.run else ()
        for finding in {*each.score.findings, *own}:
            seeds.setdefault(finding, set()).add(each.score.seed)
    order = {"fail": 0, "warn": 1, "info": 2}
    ranked = sorted(seeds, key=lambda each: (order[each.level], each.rule, each.message))
    return [FindingView(finding, tuple(sorted(seeds[finding]))) for finding in ranked]


class FindingGroup(NamedTuple):
    """Findings of one rule and level; those after the first are folded away."""

    first: FindingView
    rest: tuple[FindingView, ...]


def grouped_findings(entry: Entry) -> list[FindingGroup]:
    """The findings of an entry, a rule at a time, worst first."""
    together: dict[tuple[str, str], list[FindingView]] = {}
    for finding in findings_of(entry):
        together.setdefault((finding.finding.level, finding.finding.rule), []).append(finding)
    return [FindingGroup(found[0], tuple(found[1:])) for found in together.values()]


def verdict_text(score: Score) -> str:
    """Why an entry has its status, with the p value of the target as the site writes it."""
    if score.quality.p_target is None:
        return score.reason
    told = f"({numbers.p_value(score.quality.p_target)}, one-sided)"
    text, found = _P_TOLD.subn(lambda _: told, score.reason)
    return text if found else f"{score.reason} {told}"


def energy_unit(runs: Sequence[RunScore]) -> numbers.Unit:
    """One unit for the joules of all runs."""
    return numbers.unit_for((run.energy.energy_j for run in runs), "J")


class Download(NamedTuple):
    """A file of a bundle that the site gives away as it is."""

    label: str
    path: str
    """Relative to the site."""
    source: Path


def downloads_of(entry: Entry) -> dict[str, list[Download]]:
    """Raw readings and manifests by bundle; nothing where they cannot be read."""
    stem = entry.path.removesuffix(".html")
    return {
        run.score.bundle: [
            Download(path.name, f"{stem}/{slug(run.score.run_id)}-{path.name}", path)
            for path in run.raw_files
        ]
        for run in entry.runs
    }


def known_rulesets(site: Site) -> frozenset[str]:
    """Names that `--ruleset` takes and that say what the site's entries were scored under."""
    changed = {ruleset.name for ruleset in site.rulesets if ruleset.overrides}
    return frozenset(source.name for source in sources("rulesets")) - changed


def commands_of(entry: Entry, known: frozenset[str]) -> list[tuple[str, str]]:
    """What to type to repeat an entry, each with what it does; within the folder of results.

    Args:
        entry: whose runs are repeated.
        known: rulesets that can be named; of others the file in the bundle is.
    """
    score = entry.score
    found: list[tuple[str, tuple[str, ...]]] = []
    bundle = entry.shown_run.score.bundle if entry.shown_run else ""
    if bundle:
        what = "the sealed source under its own rules, held against what was sealed"
        found.append((what, ("joulemark", "rerun", bundle)))
    rules = (
        score.rules.ruleset
        if score.rules.ruleset in known or not bundle
        else f"{bundle}/ruleset.toml"
    )
    run = ("joulemark", "run", score.entry.workload, "--submission", score.entry.submission)
    found.append(("the submission anew, where it lies at hand", (*run, "--ruleset", rules)))
    return [(what, " ".join(map(shlex.quote, words))) for what, words in found]


def _against(entry: Entry, first: Entry | None) -> dict[str, object]:
    """The energy bridge from the first entry of the board_key to this one."""
    found = None
    if first is not None and first.path != entry.path:
        found = bridge(first.score, entry.score)
    names = (first.score.entry.title if first else "", entry.score.entry.title)
    return {
        "first": first,
        "bridge": found,
        "waterfall": waterfall_chart(found, names, "bridge") if found else None,
        "because": sentence(found) if found else "",
    }


Kind = tuple[object, ...]
"""What joules cover and how they came about."""


class Rivals(NamedTuple):
    """What an entry is held against."""

    first: Entry | None
    band: Band | None
    """Metric over time of all runs of the board."""
    energy_bands: dict[Kind, Band | None]
    """The same over joules, of those that may stand beside each other."""
    known_rulesets: frozenset[str]
    """Those that a command can name."""


def _kind(entry: Entry) -> Kind:
    figure = entry.score.costs.energy_to_target_j
    return (figure.domains, figure.method, figure.simulated) if figure else ()


def _rivals(site: Site, entries: Sequence[Entry], known: frozenset[str]) -> Rivals:
    digests = [site.digests.of(entry) for entry in entries]
    alike: dict[Kind, list[list[MetricCurve]]] = {}
    for entry, digest in zip(entries, digests, strict=True):
        alike.setdefault(_kind(entry), []).append(digest.curves_by_joules())
    bands = {kind: band_of(curves) for kind, curves in alike.items()}
    return Rivals(first_of(entries), band_of([item.curves for item in digests]), bands, known)


def _values(entry: Entry, digest: Digest, rivals: Rivals) -> dict[str, object]:
    score = entry.score
    shown = entry.shown_run
    chars_max = CHARS_MAX // max(len(entry.runs), 1)
    by_joules, energy_band = digest.curves_by_joules(), rivals.energy_bands.get(_kind(entry))
    views = [
        power_view(item, number, chars_max, in_full=item is shown)
        for number, item in enumerate(entry.runs)
    ]
    return {
        "entry": entry,
        "score": score,
        "status": wording.status_badge(score.status),
        "energy": score.costs.energy_to_target_j,
        "energy_badges": wording.figure_badges(score.costs.energy_to_target_j),
        "places": {
            prize: (place, wording.place_text(place)) for prize, place in entry.places.items()
        },
        "curve": curve_chart(entry, "curve", Drawn(digest.curves, TIME, rivals.band)),
        "band": rivals.band,
        "energy_curve": curve_chart(entry, "energy-curve", Drawn(by_joules, ENERGY, energy_band)),
        "energy_band": energy_band,
        "powers": views,
        "domains": domains_of(entry),
        "findings": grouped_findings(entry),
        "verdict": verdict_text(score),
        "unit_j": energy_unit(score.runs),
        "unit_s": numbers.unit_for((run.time_s for run in score.runs), "s"),
        "run": shown.run if shown else None,
        "machine": shown.machine if shown else None,
        "commands": commands_of(entry, rivals.known_rulesets),
        "downloads": downloads_of(entry),
        "scripts": ("site.js", "zoom.js"),
        **_against(entry, rivals.first),
        "energies": next((view.energies for view in views if view.each is shown), {}),
        "style_of": style_of,
        "status_badge": wording.status_badge,
        "method_badges": wording.method_badges,
    }


def _publish(site: Site) -> Iterator[tuple[str, str | Path]]:
    known = known_rulesets(site)
    grounds = {
        board_key: _rivals(site, entries, known)
        for workload in site.workloads
        for board_key, entries in site.entries_by_board(workload).items()
    }
    for entry in site.entries:
        title = f"{entry.score.entry.title} on {entry.score.entry.workload}"
        stem = entry.path.removesuffix(".html")
        values = _values(entry.opened(), site.digests.of(entry), grounds[entry.board_key])
        yield entry.path, site.page(entry.path, title, "entry.html", **values)
        yield f"{stem}.json", json_text(entry.score.model_dump(mode="json"))
        for files in downloads_of(entry).values():
            yield from ((file.path, file.source) for file in files)


PAGE = Page(name="entry", title="Entries", order=20, publish=_publish)
