"""The metric of every snapshot over time or over joules, one line a run, against the target."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded
from harness.report.entries import Entry, EntryRun

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 30.0, 278.0
BAND_POINTS = 120
NAMED_MAX = 40
"""Snapshots up to which each says its numbers; more of them lie too close to point at one."""


class Abscissa(NamedTuple):
    """What a metric is drawn over."""

    base: str
    """Base unit, `s` or `J`."""
    name: str


TIME = Abscissa("s", "time after the gun")
ENERGY = Abscissa("J", "energy after the gun")


class MetricCurve(NamedTuple):
    """Metric over time, or over joules, of one run."""

    seed: int
    run_id: str
    points: tuple[tuple[int, float, float], ...]
    """Index of the snapshot, seconds or joules after the gun, metric."""
    counted: int | None
    """Index of the snapshot that counts."""
    reached: bool


def curve_of(each: EntryRun) -> MetricCurve | None:
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
    if not points:
        return None
    return MetricCurve(each.score.seed, each.score.run_id, points, counted, each.score.reached)


def curves_of(entry: Entry) -> list[MetricCurve]:
    """Curves of all runs that have one."""
    return [curve for run in entry.runs if (curve := curve_of(run)) is not None]


def by_joules(curve: MetricCurve, joules: Mapping[int, float]) -> MetricCurve | None:
    """The same metrics over the joules of their snapshots; None where none of them are known."""
    points = tuple(
        (index, joules[index], value) for index, _, value in curve.points if index in joules
    )
    return curve._replace(points=points) if points else None


class Band(NamedTuple):
    """Between which metrics all runs of a board lie, over time or over joules."""

    x: tuple[float, ...]
    """Seconds or joules by which at least one run has handed over a snapshot."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs_count: int


def band_of(found: Sequence[Sequence[MetricCurve]]) -> Band | None:
    """The band of all runs with a curve; None where fewer than two entries have one.

    A run holds the metric of its last snapshot until the next; what it would have done after its
    last one nobody knows, so it leaves the band there.

    Args:
        found: the curves of each entry, over the same abscissa.
    """
    curves = [curve for item in found for curve in item]
    if sum(bool(item) for item in found) < 2:  # noqa: PLR2004 - one is no band
        return None
    grid = np.linspace(0.0, max(curve.points[-1][1] for curve in curves), BAND_POINTS)
    low, high = np.full(BAND_POINTS, np.inf), np.full(BAND_POINTS, -np.inf)
    for curve in curves:
        _, x, values = (np.array(column) for column in zip(*curve.points, strict=True))
        at = np.searchsorted(x, grid, side="right") - 1
        inside = (at >= 0) & (grid <= x[-1])
        low[inside] = np.minimum(low[inside], values[at[inside]])
        high[inside] = np.maximum(high[inside], values[at[inside]])
    known = np.isfinite(low)
    shown = [tuple(column[known].tolist()) for column in (grid, low, high)]
    return Band(shown[0], shown[1], shown[2], len(curves))


class Plot(NamedTuple):
    """The plotting area of curves, with the unit of its abscissa."""

    axes: Axes
    over: Abscissa
    unit: numbers.Unit

    def trail(self, points: Iterable[Point]) -> list[Point]:
        """Pixels of points in base units."""
        return self.axes.trail((x / self.unit.factor, value) for x, value in points)


def _plot(curves: Sequence[MetricCurve], target: float, over: Abscissa) -> Plot:
    last = max(x for curve in curves for _, x, _ in curve.points)
    unit = numbers.unit_for([last], over.base)
    values = [value for curve in curves for _, _, value in curve.points]
    low, high = padded([*values, target] if math.isfinite(target) else values)
    across = Scale(0.0, last / unit.factor * 1.02 or 1.0, LEFT, RIGHT)
    return Plot(Axes(across, Scale(low, high, BOTTOM, TOP)), over, unit)


def _draw_band(onto: Drawing, plot: Plot, band: Band) -> None:
    end = plot.axes.x.high * plot.unit.factor
    shown = [at for at, x in enumerate(band.x) if x <= end]
    upper = plot.trail((band.x[at], band.high[at]) for at in shown)
    lower = plot.trail((band.x[at], band.low[at]) for at in shown)
    onto.area(upper, lower, "board-band")


def _draw_target(onto: Drawing, axes: Axes, target: float) -> None:
    level = axes.y(target)
    onto.line([(LEFT, level), (RIGHT, level)], "target")
    words = f"target {numbers.exact(target)}"
    onto.text((RIGHT - 4, level + 15), words, "label target-label end")


def _draw(onto: Drawing, plot: Plot, curve: MetricCurve, *, named: bool) -> None:
    """One run; of many snapshots only the one that counts has words of its own."""
    trail = plot.trail((x, value) for _, x, value in curve.points)
    onto.line(trail, "run-line")
    if not named:
        onto.dots(trail, "dots")
    for (index, x, value), at in zip(curve.points, trail, strict=True):
        counts = index == curve.counted
        if not (named or counts):
            continue
        style = ("dot counted" if curve.reached else "dot missed") if counts else "dot"
        words = f"seed {curve.seed}, snapshot {index}: {numbers.plain(value, 4)} "
        when = f"after {numbers.quantity(x, plot.over.base)}{', counts' if counts else ''}"
        onto.circle(at, 4.5 if counts else 2.2, style, words + when)


def _summary(entry: Entry, curves: Sequence[MetricCurve]) -> str:
    reached = sum(curve.reached for curve in curves)
    return (
        f"{len(curves)} runs with snapshots, {reached} of them reached the target of "
        f"{numbers.exact(entry.score.quality.target)} ({entry.score.quality.name}, "
        f"{entry.score.quality.better} is better). The table of runs has the numbers."
    )


class Drawn(NamedTuple):
    """What a chart of curves shows."""

    curves: Sequence[MetricCurve]
    over: Abscissa = TIME
    band: Band | None = None
    """Of the board."""


def curve_chart(entry: Entry, ident: str, shown: Drawn) -> Markup | None:
    """Curves of all runs of an entry, before the band of the board; None without a curve."""
    if not shown.curves:
        return None
    score = entry.score
    plot = _plot(shown.curves, score.quality.target, shown.over)
    drawing = Drawing(WIDTH, HEIGHT)
    arrow = "↑" if score.quality.better == "higher" else "↓"
    across = f"{shown.over.name}, {plot.unit.symbol}"
    plot.axes.draw(drawing, across, f"{score.quality.name} {arrow}")
    if shown.band is not None:
        _draw_band(drawing, plot, shown.band)
    if math.isfinite(score.quality.target):
        _draw_target(drawing, plot.axes, score.quality.target)
    named = sum(len(curve.points) for curve in shown.curves) <= NAMED_MAX
    for curve in shown.curves:
        _draw(drawing, plot, curve, named=named)
    title = f"{score.quality.name} over {shown.over.name} of each run"
    return drawing.markup(ident, title, _summary(entry, shown.curves))
