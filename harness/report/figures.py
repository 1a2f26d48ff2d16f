"""Figures for papers: the charts of the site, drawn by matplotlib."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.records import Figure as Cost
from harness.records import Leaderboard, RunWindow, Score
from harness.report import numbers
from harness.report.breakdown import Breakdown, breakdown_of
from harness.report.charts.plane import Dot, dots_of, front
from harness.report.charts.power import Track, tracks_of
from harness.report.charts.steps import steps_of
from harness.report.entries import Boards, Entry, entries_of, group_by_board
from harness.report.pages.overall import RankingSection, best_ratios, sections_of
from harness.report.text import isolated, joined
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


def _errors(figure: Cost) -> list[list[float]]:
    low = figure.value - figure.low if figure.low is not None else 0.0
    high = figure.high - figure.value if figure.high is not None else 0.0
    return [[low], [high]]


def draw_plane(axes: Axes, dots: Sequence[Dot]) -> None:
    """Draw energy against time with intervals and the front of measured entries."""
    axes.set(xscale="log", yscale="log", xlabel="time to target, s", ylabel="energy to target, J")
    measured = front([dot for dot in dots if not dot.estimate], "lower", "lower")
    if len(measured) > 1:
        points = [(dot.x.value, dot.y.value) for dot in measured]
        axes.step(*zip(*points, strict=True), where="post", color=COLOURS[0], linewidth=1)
    for dot in dots:
        point, colour = (dot.x.value, dot.y.value), COLOURS[2] if dot.estimate else COLOURS[1]
        axes.errorbar(
            *point, xerr=_errors(dot.x), yerr=_errors(dot.y), fmt="o", color=colour, ecolor=colour,
            elinewidth=0.8, markersize=4, markerfacecolor="white" if dot.estimate else colour,
        )  # fmt: skip
        name = isolated(dot.name)[:32] + (" (estimated)" if dot.estimate else "")
        axes.annotate(name, point, (4, 4), textcoords="offset points", fontsize=7)


def draw_power(axes: Axes, window: RunWindow, tracks: Sequence[Track]) -> None:
    """Draw the power of every domain of a run over time."""
    start_s = (window.gun_ns or 0) / 1e9
    axes.set(xlabel="seconds since the start signal", ylabel="power, W")
    for track in tracks:
        label = f"{track.series.domain}{' (modelled)' if track.modelled else ''}"
        axes.plot(
            track.series.t_s - start_s, track.series.power_w, label=label, linewidth=0.9,
            color=COLOURS[track.colour], linestyle="--" if track.modelled else "-",
        )  # fmt: skip
    axes.axvline(0.0, color="black", linewidth=0.8)
    if window.end_ns is not None:
        axes.axvline(window.end_ns / 1e9 - start_s, color="black", linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.legend()


def draw_breakdown(axes: Axes, breakdown: Breakdown) -> None:
    """Draw energy by domain and phase as stacked bars."""
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


def draw_profiles(axes: Axes, section: RankingSection) -> None:
    """Draw performance profiles against the lowest cost present on each workload."""
    rows, ratio_max = section.ranking.rows, section.ranking.rules.cost_ratio_max
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


Draw = Callable[[Axes], None]


def _drawings(
    entries: Sequence[Entry], sections: Sequence[RankingSection]
) -> Iterator[tuple[str, Draw]]:
    """Yield the name of each figure and the function that draws it."""
    for board_key, members in group_by_board(entries).items():
        if dots := dots_of(members, against_metric=False):
            yield f"plane--{joined(*board_key)}", partial(draw_plane, dots=dots)
    for section in sections:
        ranking = section.ranking
        key = (section.title.replace(" ", "-"), ranking.machine, ranking.ruleset, ranking.division)
        yield f"profiles--{joined(*key)}", partial(draw_profiles, section=section)
    for entry in entries:
        run = entry.opened().shown_run
        trace = trace_of(run) if run else None
        if run is None or run.run is None or trace is None:
            continue
        if tracks := tracks_of(run, trace):
            draw = partial(draw_power, window=run.run.window, tracks=tracks)
            yield f"power--{entry.anchor}", draw
        if breakdown := breakdown_of(run, trace):
            yield f"breakdown--{entry.anchor}", partial(draw_breakdown, breakdown=breakdown)


def write_figures(
    results: Path,
    out: Path,
    scores: Sequence[Score],
    boards: Sequence[Leaderboard],
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write planes, profiles over all workloads, power traces and energy breakdowns.

    Return the files, sorted. `results` is the folder that the scores' bundle paths are relative to.

    Raises:
        ValueError: a format is none of `FORMATS`.
        OSError: a file could not be written.
    """
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise ValueError(f"--format {unknown[0]}: figures come as {', '.join(FORMATS)}")
    entries = entries_of(scores, Boards(boards), results)
    paths: list[Path] = []
    # The context keeps the style of the project from other users of matplotlib.
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A letter that is missing in the font is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        for name, draw in _drawings(entries, sections_of(scores)):
            figure = Figure(figsize=SIZE_INCH, layout="constrained")
            draw(figure.subplots())
            out.mkdir(parents=True, exist_ok=True)
            for kind in formats:
                paths.append(out / f"{name}.{kind}")
                figure.savefig(paths[-1], format=kind, dpi=200, metadata=METADATA[kind])
    return sorted(paths)
