"""The page of an entry: status, ranks, runs, curves, power, energy, machine, findings."""

import re
import shlex
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Domain, Figure, Finding, Score
from harness.registry import sources
from harness.report import numbers, wording
from harness.report.breakdown import Breakdown, breakdown_of, energies_of, phases_of, totals_s
from harness.report.charts.bars import bars_chart, style_of, waterfall_chart
from harness.report.charts.curve import Band, band_of, curve_chart
from harness.report.charts.power import Track, power_chart, tracks_of
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

LEVELS = ("fail", "warn", "info")
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
    """The reason if there is no chart."""
    samples: Markup | None
    """The readings, for the script that zooms."""
    every: float
    """Readings of the trace per reading in `samples`."""


def power_view(run: EntryRun, number: int, chars_max: int) -> PowerView:
    """Return the power of one run, with about `chars_max` characters of readings at most."""
    trace = trace_of(run)
    tracks, breakdown = tracks_of(run, trace), breakdown_of(run, trace)
    chart = power_chart(run, tracks, f"power-{number}")
    gun_ns, end_ns = (run.run.window.gun_ns, run.run.window.end_ns) if run.run else (None, None)
    points_max = max(chars_max // READING_CHARS // max(len(tracks), 1), 4)
    series = [packed(track.series, points_max, (gun_ns or 0) / 1e9) for track in tracks]
    readings = [
        {"style": track.style} | item._asdict() for track, item in zip(tracks, series, strict=True)
    ]
    missing = run.fault or "the trace has no usable reading"
    if not run.fault and run.trace_path is None:
        missing = "no meter was read in this run: its energy is missing, not zero"
    return PowerView(
        run,
        tracks,
        chart,
        totals_s(phases_of(run.events, end_ns or 0)),
        breakdown,
        bars_chart(breakdown, f"bars-{number}") if breakdown else None,
        hints_of(run, breakdown),
        missing,
        embedded_json(readings) if readings else None,
        max((item.every for item in series), default=1.0),
    )


def domains_of(entry: Entry) -> list[tuple[str, Figure, Domain | None, bool]]:
    """Return name, energy and description of each domain, and whether it is part of the total.

    The domains of the total come first. A domain has no description where no run can be read.
    """
    total = entry.cost("energy")
    domains = {domain.name: domain for run in entry.runs if run.run for domain in run.run.domains}
    added = total.domains if total else ()
    figures = sorted(entry.score.energy.by_domain_j.items(), key=lambda row: row[0])
    rows = [(name, figure, domains.get(name), name in added) for name, figure in figures]
    return sorted(rows, key=lambda row: not row[3])


def findings_of(entry: Entry) -> list[list[tuple[Finding, list[int]]]]:
    """Return the findings with the seeds of their runs, grouped by rule, worst first.

    A finding without seeds is about the whole score.
    """
    seeds: dict[Finding, set[int]] = {finding: set() for finding in entry.score.findings}
    for run in entry.runs:
        for finding in {*run.score.findings, *(run.run.findings if run.run else ())}:
            seeds.setdefault(finding, set()).add(run.score.seed)
    groups = defaultdict(list)
    for finding in sorted(seeds, key=lambda f: (LEVELS.index(f.level), f.rule, f.message)):
        groups[finding.level, finding.rule].append((finding, sorted(seeds[finding])))
    return list(groups.values())


def status_text(score: Score) -> str:
    """Return the reason of an entry's status, with the p value in the site's format."""
    if score.quality.p_target is None:
        return score.reason
    text = f"({numbers.p_value(score.quality.p_target)}, one-sided)"
    reason, count = _P_VALUE.subn(text.replace("\\", ""), score.reason)
    return reason if count else f"{score.reason} {text}"


def downloads_of(entry: Entry) -> dict[str, dict[str, Path]]:
    """Return the raw readings and manifests by bundle and by their path on the site."""
    stem = entry.path.removesuffix(".html")
    return {
        run.score.bundle: {
            f"{stem}/{slug(run.score.run_id)}-{path.name}": path for path in run.raw_files
        }
        for run in entry.runs
    }


def rulesets_by_name(site: Site) -> frozenset[str]:
    """Return the names that `--ruleset` takes and that were not changed for this site."""
    changed = {ruleset.name for ruleset in site.rulesets if ruleset.overrides}
    return frozenset(source.name for source in sources("rulesets")) - changed


def commands_of(entry: Entry, rulesets: frozenset[str]) -> list[tuple[str, str]]:
    """Return commands that repeat an entry in the folder of results, with what they do.

    A ruleset that is not in `rulesets` is named by its file in the bundle.
    """
    ref, rules = entry.score.entry, entry.score.rules.ruleset
    commands = []
    if entry.shown_run:
        bundle = entry.shown_run.score.bundle
        meaning = "run the sealed source under its own rules and compare with the sealed result"
        commands.append((meaning, shlex.join(("joulemark", "rerun", bundle))))
        rules = rules if rules in rulesets else f"{bundle}/ruleset.toml"
    words = ("joulemark", "run", ref.workload, "--submission", ref.submission, "--ruleset", rules)
    return [*commands, ("run the submission again, from its folder", shlex.join(words))]


def _energy_method(entry: Entry) -> Hashable:
    """Return what the energy of an entry covers and how it was obtained."""
    figure = entry.cost("energy")
    return figure and (figure.domains, figure.method, figure.simulated)


class BoardContext(NamedTuple):
    """What the pages of the entries of one board have in common."""

    first: Entry | None
    """The entry that others are compared with."""
    band: Band | None
    """Metric over time of all runs."""
    energy_bands: Mapping[Hashable, Band | None]
    """Metric over energy of the runs with comparable energy, by domains and method."""
    rulesets: frozenset[str]
    """Rulesets that a command can name."""


def board_of(site: Site, entries: Sequence[Entry]) -> BoardContext:
    """Return what the pages of the entries of one board have in common."""
    comparable = defaultdict(list)
    for entry in entries:
        comparable[_energy_method(entry)].append(site.digest(entry).energy_curves)
    bands = {method: band_of(curves) for method, curves in comparable.items()}
    band = band_of([site.digest(entry).curves for entry in entries])
    return BoardContext(first_of(entries), band, bands, rulesets_by_name(site))


def _values(site: Site, entry: Entry, board: BoardContext) -> dict[str, object]:
    """Return the values of the template; `entry` has unread bundles."""
    score, run, digest = entry.score, entry.shown_run, site.digest(entry)
    band, energy_band = board.band, board.energy_bands.get(_energy_method(entry))
    chars_max = READINGS_CHARS_MAX // max(len(entry.runs), 1)
    first, bridge, waterfall = board.first, None, None
    if first and first.path != entry.path:
        bridge = bridge_between(first.score, score)
        titles = (first.score.entry.title, score.entry.title)
        waterfall = waterfall_chart(bridge, titles, "bridge") if bridge else None
    return {
        "entry": entry,
        "score": score,
        "status": wording.status_badge(score.status),
        "status_text": status_text(score),
        "energy": entry.cost("energy"),
        "energy_badges": wording.figure_badges(entry.cost("energy")),
        "places": {prize: wording.place_text(place) for prize, place in entry.places.items()},
        "curve": curve_chart(score.quality, "curve", digest.curves, "s", band),
        "band": band,
        "energy_curve": curve_chart(
            score.quality, "energy-curve", digest.energy_curves, "J", energy_band
        ),
        "energy_band": energy_band,
        "powers": [power_view(item, at, chars_max) for at, item in enumerate(entry.runs)],
        "domains": domains_of(entry),
        "energies": energies_of(run, trace_of(run)) if run else {},
        "findings": findings_of(entry),
        "unit_j": numbers.unit_for((item.energy.energy_j for item in score.runs), "J"),
        "unit_s": numbers.unit_for((item.time_s for item in score.runs), "s"),
        "run": run.run if run else None,
        "machine": run.machine if run else None,
        "commands": commands_of(entry, board.rulesets),
        "downloads": downloads_of(entry),
        "style_of": style_of,
        "first": first,
        "bridge": bridge,
        "waterfall": waterfall,
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
            yield from files.items()


PAGE = Page(name="entry", title="Entries", order=20, publish=_publish)
