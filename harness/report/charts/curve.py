"""The metric of every snapshot over time, one line a run, against the target."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded
from harness.report.entries import Entry, EntryRun

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 30.0, 278.0
BAND_POINTS = 120


class Curve(NamedTuple):
    """Metric over time of one run."""

    seed: int
    points: tuple[tuple[int, float, float], ...]
    """Index of the snapshot, seconds after the gun, metric."""
    counted: int | None
    """Index of the snapshot that counts."""
    reached: bool


def curve_of(each: EntryRun) -> Curve | None:
    """The curve of a run; None where no snapshot of it has a metric."""
    run, evaluation = each.run, each.evaluation
    if run is None or evaluation is None or run.window.gun_ns is None:
        return None
    stamps = {shot.index: shot.stamp_ns for shot in run.snapshots}
    points = tuple(
        (row.snapshot, (stamps[row.snapshot] - run.window.gun_ns) / 1e9, row.value)
        for row in sorted(evaluation.values, key=lambda row: row.snapshot)
        if row.value is not None and row.snapshot in stamps
    )
    counted = each.score.snapshot
    return Curve(each.score.seed, points, counted, each.score.reached) if points else None


def curves_of(entry: Entry) -> list[Curve]:
    """Curves of all runs that have one."""
    return [curve for each in entry.runs if (curve := curve_of(each)) is not None]


class Band(NamedTuple):
    """Between which metrics all runs of a board lie, over time."""

    t_s: tuple[float, ...]
    """Moments at which at least one run has handed over a snapshot."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs_count: int


def band_of(entries: Sequence[Entry]) -> Band | None:
    """The band of all runs with a curve; None where fewer than two entries have one.

    A run holds the metric of its last snapshot until the next; what it would have done after its
    last one nobody knows, so it leaves the band there.
    """
    found = [curves_of(entry.opened()) for entry in entries]
    curves = [curve for each in found for curve in each]
    if sum(bool(each) for each in found) < 2:  # noqa: PLR2004 - one is no band
        return None
    last_s = max(curve.points[-1][1] for curve in curves)
    grid = np.linspace(0.0, last_s, BAND_POINTS)
    low, high = np.full(BAND_POINTS, np.inf), np.full(BAND_POINTS, -np.inf)
    for curve in curves:
        _, t_s, values = (np.array(column) for column in zip(*curve.points, strict=True))
        at = np.searchsorted(t_s, grid, side="right") - 1
        inside = (at >= 0) & (grid <= t_s[-1])
        low[inside] = np.minimum(low[inside], values[at[inside]])
        high[inside] = np.maximum(high[inside], values[at[inside]])
    known = np.isfinite(low)
    shown = [tuple(column[known].tolist()) for column in (grid, low, high)]
    return Band(shown[0], shown[1], shown[2], len(curves))


def _draw_band(onto: Drawing, axes: Axes, band: Band) -> None:
    shown = [at for at, t_s in enumerate(band.t_s) if t_s <= axes.x.high]
    upper = axes.trail((band.t_s[at], band.high[at]) for at in shown)
    lower = axes.trail((band.t_s[at], band.low[at]) for at in shown)
    onto.area(upper, lower, "board-band")


def _axes(curves: Sequence[Curve], target: float) -> Axes:
    last_s = max(t_s for curve in curves for _, t_s, _ in curve.points)
    values = [value for curve in curves for _, _, value in curve.points]
    low, high = padded([*values, target] if math.isfinite(target) else values)
    return Axes(Scale(0.0, last_s * 1.02 or 1.0, LEFT, RIGHT), Scale(low, high, BOTTOM, TOP))


def _draw_target(onto: Drawing, axes: Axes, target: float) -> None:
    level = axes.y(target)
    onto.line([(LEFT, level), (RIGHT, level)], "target")
    words = f"target {numbers.exact(target)}"
    onto.text((RIGHT - 4, level + 15), words, "label target-label end")


def _draw(onto: Drawing, axes: Axes, curve: Curve) -> None:
    trail: list[Point] = axes.trail((t_s, value) for _, t_s, value in curve.points)
    onto.line(trail, "run-line")
    for (index, t_s, value), at in zip(curve.points, trail, strict=True):
        counts = index == curve.counted
        style = ("dot counted" if curve.reached else "dot missed") if counts else "dot"
        words = f"seed {curve.seed}, snapshot {index}: {numbers.plain(value, 4)} "
        when = f"after {numbers.quantity(t_s, 's')}{', counts' if counts else ''}"
        onto.circle(at, 4.5 if counts else 2.2, style, words + when)


def _summary(entry: Entry, curves: Sequence[Curve]) -> str:
    reached = sum(curve.reached for curve in curves)
    return (
        f"{len(curves)} runs with snapshots, {reached} of them reached the target of "
        f"{numbers.exact(entry.score.target)} ({entry.score.metric_name}, "
        f"{entry.score.better} is better). The table of runs has the numbers."
    )


def curve_chart(entry: Entry, ident: str, band: Band | None = None) -> Markup | None:
    """Metric over time of all runs, before the band of the board; None without a metric."""
    curves = curves_of(entry)
    if not curves:
        return None
    axes = _axes(curves, entry.score.target)
    drawing = Drawing(WIDTH, HEIGHT)
    arrow = "↑" if entry.score.better == "higher" else "↓"
    axes.draw(drawing, "seconds after the gun", f"{entry.score.metric_name} {arrow}")
    if band is not None:
        _draw_band(drawing, axes, band)
    if math.isfinite(entry.score.target):
        _draw_target(drawing, axes, entry.score.target)
    for curve in curves:
        _draw(drawing, axes, curve)
    title = f"{entry.score.metric_name} over time of each run"
    return drawing.markup(ident, title, _summary(entry, curves))
