"""The page of an entry: status, ranks, runs, curves, power, energy, machine, findings."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from harness.measure.energy import Energy
from harness.records import Domain, Figure, Finding, Score
from harness.registry import sources
from harness.report import numbers, wording
from harness.report.breakdown import Breakdown, breakdown_of, energies_of, phases_of, totals_s
from harness.report.charts.bars import bars_chart, style_of, waterfall_chart
from harness.report.charts.curve import ENERGY, TIME, Band, band_of, curve_chart
from harness.report.charts.power import Track, power_chart, tracks_of
from harness.report.digest import MetricCurve
from harness.report.entries import Entry, EntryRun
from harness.report.hints import Hint, hints_of
from harness.report.pages.compare import first_of
from harness.report.site import Page, Site
from harness.report.text import embedded_json, json_text, slug
from harness.report.traces import packed, trace_of
from harness.score.bridge import bridge_between

READINGS_CHARS_MAX = 800_000
"""Characters of readings on a page; longer traces are thinned to their extremes."""

READING_CHARS = 8
"""Four bytes of time and two of power, as base64."""

_P_VALUE = re.compile(r"\(p = [^)]*\)")


class PowerView(NamedTuple):
    """Power and energy of one run over time and by phase."""

    run: EntryRun
    tracks: list[Track]
    chart: Markup | None
    phases: dict[str, tuple[int, float]]
    """How often each phase occurred and how long it took, seconds."""
    breakdown: Breakdown | None
    bars: Markup | None
    hints: list[Hint]
    missing: str
    """The reason there is no chart; empty where there is one."""
    samples: Markup | None
    """The readings, for the script that zooms."""
    every: float
    """Readings of the trace per reading in `samples`."""


class DomainView(NamedTuple):
    """Energy of one domain."""

    name: str
    figure: Figure
    domain: Domain | None
    """None where no readable run describes it."""
    added: bool
    """Whether it is part of the total."""


class FindingView(NamedTuple):
    """A finding with the seeds of its runs; without seeds it is about the whole score."""

    finding: Finding
    seeds: Sequence[int]


class Download(NamedTuple):
    """A file of a bundle that the site offers."""

    label: str
    path: str
    """Relative to the site."""
    source: Path


def _missing_trace(run: EntryRun) -> str:
    if run.run is None:
        return run.fault
    if run.trace_path is None:
        return "no meter was read in this run: its energy is missing, not zero"
    return "the trace has no usable reading"


def power_view(run: EntryRun, number: int, chars_max: int) -> PowerView:
    """Return the power of one run.

    Args:
        run: the run.
        number: makes its ids unique.
        chars_max: approximate length of the readings that come with the chart.
    """
    trace = trace_of(run)
    tracks = tracks_of(run, trace)
    chart = power_chart(run, tracks, f"power-{number}")
    end_ns = run.run.window.end_ns if run.run else None
    breakdown = breakdown_of(run, trace)
    zero_s = ((run.run.window.gun_ns if run.run else None) or 0) / 1e9
    points_max = max(chars_max // READING_CHARS // max(len(tracks), 1), 4)
    series = [packed(track.series, points_max, zero_s) for track in tracks]
    readings = [
        {"style": track.style} | item._asdict() for track, item in zip(tracks, series, strict=True)
    ]
    return PowerView(
        run,
        tracks,
        chart,
        totals_s(phases_of(run.events, end_ns or 0)),
        breakdown,
        bars_chart(breakdown, f"bars-{number}") if breakdown else None,
        hints_of(run, breakdown),
        "" if chart else _missing_trace(run),
        embedded_json(readings) if readings else None,
        max((item.every for item in series), default=1.0),
    )


def domains_of(entry: Entry) -> list[DomainView]:
    """Return the energy by domain; the domains of the total come first."""
    figures, total = entry.score.energy.by_domain_j, entry.cost("energy")
    domains = {domain.name: domain for run in entry.runs if run.run for domain in run.run.domains}
    added = set(total.domains) if total else set()
    views = [
        DomainView(name, figure, domains.get(name), name in added)
        for name, figure in figures.items()
    ]
    return sorted(views, key=lambda view: (not view.added, view.name))


def findings_of(entry: Entry) -> list[list[FindingView]]:
    """Return the findings about the entry and its runs, grouped by rule, worst first."""
    seeds: dict[Finding, set[int]] = {finding: set() for finding in entry.score.findings}
    for run in entry.runs:
        own = run.run.findings if run.run else ()
        for finding in {*run.score.findings, *own}:
            seeds.setdefault(finding, set()).add(run.score.seed)
    order = {"fail": 0, "warn": 1, "info": 2}
    groups: dict[tuple[str, str], list[FindingView]] = {}
    for finding in sorted(seeds, key=lambda item: (order[item.level], item.rule, item.message)):
        view = FindingView(finding, sorted(seeds[finding]))
        groups.setdefault((finding.level, finding.rule), []).append(view)
    return list(groups.values())


def status_text(score: Score) -> str:
    """Return the reason of an entry's status, with the p value in the site's format."""
    if score.quality.p_target is None:
        return score.reason
    text = f"({numbers.p_value(score.quality.p_target)}, one-sided)"
    reason, count = _P_VALUE.subn(text.replace("\\", ""), score.reason)
    return reason if count else f"{score.reason} {text}"


def downloads_of(entry: Entry) -> dict[str, list[Download]]:
    """Return the raw readings and manifests by bundle; empty where they cannot be read."""
    stem = entry.path.removesuffix(".html")
    return {
        run.score.bundle: [
            Download(path.name, f"{stem}/{slug(run.score.run_id)}-{path.name}", path)
            for path in run.raw_files
        ]
        for run in entry.runs
    }


def rulesets_by_name(site: Site) -> frozenset[str]:
    """Return the names that `--ruleset` takes and that were not changed for this site."""
    changed = {ruleset.name for ruleset in site.rulesets if ruleset.overrides}
    return frozenset(source.name for source in sources("rulesets")) - changed


def commands_of(entry: Entry, rulesets: frozenset[str]) -> list[tuple[str, str]]:
    """Return commands that repeat an entry in the folder of results, with what they do.

    Args:
        entry: the entry to repeat.
        rulesets: rulesets that can be named; otherwise the file in the bundle is used.
    """
    score = entry.score
    commands: list[tuple[str, tuple[str, ...]]] = []
    bundle = entry.shown_run.score.bundle if entry.shown_run else ""
    if bundle:
        meaning = "run the sealed source under its own rules and compare with the sealed result"
        commands.append((meaning, ("joulemark", "rerun", bundle)))
    rules = score.rules.ruleset
    if bundle and rules not in rulesets:
        rules = f"{bundle}/ruleset.toml"
    run = ("joulemark", "run", score.entry.workload, "--submission", score.entry.submission)
    commands.append(("run the submission again, from its folder", (*run, "--ruleset", rules)))
    return [(meaning, " ".join(map(shlex.quote, words))) for meaning, words in commands]


class EnergyMethod(NamedTuple):
    """What the energy of an entry covers and how it was obtained."""

    domains: tuple[str, ...]
    method: str | None
    simulated: bool


def _energy_method(entry: Entry) -> EnergyMethod | None:
    figure = entry.cost("energy")
    return EnergyMethod(figure.domains, figure.method, figure.simulated) if figure else None


class BoardContext(NamedTuple):
    """What the pages of the entries of one board have in common."""

    first: Entry | None
    """The entry that others are compared with."""
    band: Band | None
    """Metric over time of all runs."""
    energy_bands: dict[EnergyMethod | None, Band | None]
    """Metric over energy of the runs with comparable energy."""
    rulesets: frozenset[str]
    """Rulesets that a command can name."""


def board_of(site: Site, entries: Sequence[Entry]) -> BoardContext:
    """Return what the pages of the entries of one board have in common."""
    digests = [site.digest(entry) for entry in entries]
    comparable: dict[EnergyMethod | None, list[Sequence[MetricCurve]]] = {}
    for entry, digest in zip(entries, digests, strict=True):
        comparable.setdefault(_energy_method(entry), []).append(digest.energy_curves)
    bands = {method: band_of(curves) for method, curves in comparable.items()}
    band = band_of([digest.curves for digest in digests])
    return BoardContext(first_of(entries), band, bands, rulesets_by_name(site))


def _bridge_values(entry: Entry, first: Entry | None) -> dict[str, object]:
    """Return the energy bridge from the first entry of the board to this one."""
    bridge = (
        bridge_between(first.score, entry.score) if first and first.path != entry.path else None
    )
    names = (first.score.entry.title if first else "", entry.score.entry.title)
    return {
        "first": first,
        "bridge": bridge,
        "waterfall": waterfall_chart(bridge, names, "bridge") if bridge else None,
        "bridge_text": bridge.text(numbers.percent) if bridge else "",
    }


def _energies(run: EntryRun | None) -> Mapping[str, Energy]:
    return energies_of(run, trace_of(run)) if run else {}


def _values(site: Site, entry: Entry, board: BoardContext) -> dict[str, object]:
    """Return the values of the template; `entry` has unread bundles."""
    score, run, digest = entry.score, entry.shown_run, site.digest(entry)
    band, energy_band = board.band, board.energy_bands.get(_energy_method(entry))
    chars_max = READINGS_CHARS_MAX // max(len(entry.runs), 1)
    return {
        "entry": entry,
        "score": score,
        "status": wording.status_badge(score.status),
        "status_text": status_text(score),
        "energy": entry.cost("energy"),
        "energy_badges": wording.figure_badges(entry.cost("energy")),
        "places": {prize: wording.place_text(place) for prize, place in entry.places.items()},
        "curve": curve_chart(entry, "curve", digest.curves, TIME, band),
        "band": band,
        "energy_curve": curve_chart(
            entry, "energy-curve", digest.energy_curves, ENERGY, energy_band
        ),
        "energy_band": energy_band,
        "powers": [power_view(item, at, chars_max) for at, item in enumerate(entry.runs)],
        "domains": domains_of(entry),
        "energies": _energies(run),
        "findings": findings_of(entry),
        "unit_j": numbers.unit_for((item.energy.energy_j for item in score.runs), "J"),
        "unit_s": numbers.unit_for((item.time_s for item in score.runs), "s"),
        "run": run.run if run else None,
        "machine": run.machine if run else None,
        "commands": commands_of(entry, board.rulesets),
        "downloads": downloads_of(entry),
        "style_of": style_of,
        **_bridge_values(entry, board.first),
    }


def _publish(site: Site) -> Iterator[tuple[str, str | Path]]:
    boards = {key: board_of(site, entries) for key, entries in site.all_by_board()}
    for entry in site.entries:
        title = f"{entry.score.entry.title} on {entry.score.entry.workload}"
        values = _values(site, entry.opened(), boards[entry.board_key])
        scripts = ("site.js", "zoom.js")
        yield entry.path, site.page(entry.path, title, "entry.html", values, scripts)
        stem = entry.path.removesuffix(".html")
        yield f"{stem}.json", json_text(entry.score.model_dump(mode="json"))
        for files in downloads_of(entry).values():
            yield from ((file.path, file.source) for file in files)


PAGE = Page(name="entry", title="Entries", order=20, publish=_publish)
