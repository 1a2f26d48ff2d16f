"""Figures for papers: the charts of the site, drawn by matplotlib."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.records import Figure as Cost
from harness.records import Leaderboard, Score
from harness.report import numbers
from harness.report.breakdown import Breakdown, breakdown_of
from harness.report.charts.plane import Dot, dots_of, front
from harness.report.charts.power import Track, tracks_of
from harness.report.charts.profile import steps_of
from harness.report.entries import Boards, Entry, EntryRun, entries_of, group_by_board
from harness.report.pages.overall import RankingSection, best_ratios, sections_of
from harness.report.slugs import joined
from harness.report.text import isolated
from harness.report.traces import trace_of

FORMATS = ("svg", "pdf", "png")
SIZE_INCH = (5.2, 3.4)
COLOURS = ("#0a7d5a", "#3c4fb5", "#b3541e", "#8b3f97", "#6b6f00", "#00707f", "#7a7f87", "#a3231b")
DASHES = ("-", "--", "-.", ":")
"""Lines differ in black and white as well."""
STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e5e9",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "joulemark",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    # A title with two dollar signs is not a formula.
    "text.parse_math": False,
}
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "JouleMark"},
    "pdf": {"CreationDate": None, "Creator": "JouleMark", "Producer": None},
    "png": {"Software": "JouleMark"},
}


@contextmanager
def _drawing() -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure and its axes in the style of the project, without changing global state."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A letter that is missing in the font is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=SIZE_INCH, layout="constrained")
        yield figure, figure.subplots()


def _save(figure: Figure, out: Path, name: str, formats: Sequence[str]) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{kind}" for kind in formats]
    for path, kind in zip(paths, formats, strict=True):
        figure.savefig(path, format=kind, dpi=200, metadata=METADATA[kind])
    return paths


def _errors(figure: Cost) -> list[list[float]]:
    low = figure.value - figure.low if figure.low is not None else 0.0
    high = figure.high - figure.value if figure.high is not None else 0.0
    return [[low], [high]]


def _plane_dot(axes: Axes, dot: Dot) -> None:
    colour = COLOURS[2] if dot.estimate else COLOURS[1]
    axes.errorbar(
        [dot.x.value], [dot.y.value], xerr=_errors(dot.x), yerr=_errors(dot.y), fmt="o",
        color=colour, ecolor=colour, elinewidth=0.8, markersize=4,
        markerfacecolor="white" if dot.estimate else colour,
    )  # fmt: skip
    name = isolated(dot.name)[:32] + (" (estimated)" if dot.estimate else "")
    axes.annotate(name, (dot.x.value, dot.y.value), (4, 4), textcoords="offset points", fontsize=7)


def draw_plane(dots: Sequence[Dot], out: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Draw energy against time with intervals and the front of measured entries."""
    with _drawing() as (figure, axes):
        axes.set(
            xscale="log", yscale="log", xlabel="time to target, s", ylabel="energy to target, J"
        )
        measured = front([dot for dot in dots if not dot.estimate], "lower", "lower")
        if len(measured) > 1:
            points = [(dot.x.value, dot.y.value) for dot in measured]
            axes.step(*zip(*points, strict=True), where="post", color=COLOURS[0], linewidth=1)
        for dot in dots:
            _plane_dot(axes, dot)
        return _save(figure, out, name, formats)


def draw_power(
    run: EntryRun, tracks: Sequence[Track], out: Path, name: str, formats: Sequence[str]
) -> list[Path]:
    """Draw the power of every domain of a run over time."""
    assert run.run is not None
    start_s = (run.run.window.gun_ns or 0) / 1e9
    with _drawing() as (figure, axes):
        axes.set(xlabel="seconds since the start signal", ylabel="power, W")
        for track in tracks:
            label = f"{track.series.domain}{' (modelled)' if track.modelled else ''}"
            axes.plot(
                track.series.t_s - start_s, track.series.power_w, label=label, linewidth=0.9,
                color=COLOURS[track.colour], linestyle="--" if track.modelled else "-",
            )  # fmt: skip
        axes.axvline(0.0, color="black", linewidth=0.8)
        if run.run.window.end_ns is not None:
            axes.axvline(run.run.window.end_ns / 1e9 - start_s, color="black", linewidth=0.8)
        axes.set_ylim(bottom=0)
        axes.legend()
        return _save(figure, out, name, formats)


def draw_breakdown(
    breakdown: Breakdown, out: Path, name: str, formats: Sequence[str]
) -> list[Path]:
    """Draw energy by domain and phase as stacked bars."""
    with _drawing() as (figure, axes):
        axes.set(xlabel="energy, J")
        domains, starts = list(breakdown.joules), [0.0] * len(breakdown.joules)
        for index, segment in enumerate(breakdown.segments):
            widths = [row[index] or 0.0 for row in breakdown.joules.values()]
            axes.barh(
                domains, widths, left=starts, height=0.6, label=isolated(segment.name)[:32],
                color=COLOURS[index % len(COLOURS)] if segment.scored else "#c9ced4",
            )  # fmt: skip
            starts = [start + width for start, width in zip(starts, widths, strict=True)]
        axes.legend(fontsize=6)
        return _save(figure, out, name, formats)


def draw_profiles(
    section: RankingSection, out: Path, name: str, formats: Sequence[str]
) -> list[Path]:
    """Draw performance profiles against the lowest cost present on each workload."""
    rows, ratio_max = section.ranking.rows, section.ranking.rules.cost_ratio_max
    with _drawing() as (figure, axes):
        axes.set(
            xlabel="cost over the lowest cost of the workload",
            ylabel="part of the workloads",
            xlim=(1.0, ratio_max),
            ylim=(0.0, 1.03),
        )
        for number, row in reversed(list(enumerate(rows[: len(COLOURS)]))):
            corners = zip(*steps_of(best_ratios(row), ratio_max), strict=True)
            label = f"{isolated(row.name)[:32]}, score {numbers.plain(row.best_profile_fraction)}"
            axes.step(
                *corners, where="post", color=COLOURS[number], label=label, linewidth=1.4,
                linestyle=DASHES[number % len(DASHES)],
            )  # fmt: skip
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="lower right", title=section.title)
        return _save(figure, out, name, formats)


def _entry_figures(entry: Entry, out: Path, formats: Sequence[str]) -> list[Path]:
    """Write the power and the breakdown of an entry's first readable run."""
    run = entry.opened().shown_run
    trace = trace_of(run) if run else None
    if run is None or trace is None:
        return []
    tracks, breakdown = tracks_of(run, trace), breakdown_of(run, trace)
    paths = draw_power(run, tracks, out, f"power--{entry.anchor}", formats) if tracks else []
    if breakdown is not None:
        paths += draw_breakdown(breakdown, out, f"breakdown--{entry.anchor}", formats)
    return paths


def write_figures(
    results: Path,
    out: Path,
    scores: Sequence[Score],
    boards: Sequence[Leaderboard],
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write planes, profiles over all workloads, power traces and energy breakdowns.

    Args:
        results: folder that the scores' bundle paths are relative to.
        out: folder of the figures, created if it is missing.
        scores: every entry.
        boards: their leaderboards.
        formats: file formats, of `FORMATS`.

    Returns:
        The files, sorted.

    Raises:
        ValueError: a format is none of `FORMATS`.
        OSError: a file could not be written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise ValueError(f"--format {unknown[0]}: figures come as {', '.join(FORMATS)}")
    entries = entries_of(scores, Boards(boards), results)
    paths: list[Path] = []
    for board_key, members in group_by_board(entries).items():
        dots = dots_of(members, against_metric=False)
        if dots:
            paths += draw_plane(dots, out, f"plane--{joined(*board_key)}", formats)
    for section in sections_of(scores):
        ranking = section.ranking
        key = (section.title.replace(" ", "-"), ranking.machine, ranking.ruleset, ranking.division)
        paths += draw_profiles(section, out, f"profiles--{joined(*key)}", formats)
    for entry in entries:
        paths += _entry_figures(entry, out, formats)
    return sorted(paths)
