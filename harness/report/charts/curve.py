"""The metric of every snapshot over time or energy, one line per run, with the target."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded
from harness.report.digest import MetricCurve
from harness.report.entries import Entry

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 30.0, 278.0
BAND_POINTS = 120
TOOLTIPS_MAX = 40
"""With more snapshots only the scored ones have tooltips."""


class Abscissa(NamedTuple):
    """What a metric is drawn over."""

    base: str
    """Base unit, `s` or `J`."""
    name: str


TIME = Abscissa("s", "time since the start signal")
ENERGY = Abscissa("J", "energy since the start signal")


class Band(NamedTuple):
    """The least and greatest metric of all runs of a board, over time or energy."""

    x: tuple[float, ...]
    """Seconds or joules by which at least one run has handed over a snapshot."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs_count: int


def band_of(entries: Sequence[Sequence[MetricCurve]]) -> Band | None:
    """Return the band of all runs with a curve; None where fewer than two entries have one.

    A run keeps the metric of its last snapshot until the next one, and leaves the band after its
    last one.

    Args:
        entries: the curves of each entry, over the same abscissa.
    """
    curves = [curve for entry in entries for curve in entry]
    if sum(bool(entry) for entry in entries) < 2:  # noqa: PLR2004 - a band compares entries
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
    columns = [tuple(column[known].tolist()) for column in (grid, low, high)]
    return Band(columns[0], columns[1], columns[2], len(curves))


class _Plot(NamedTuple):
    """The plotting area, with the unit of its abscissa."""

    axes: Axes
    over: Abscissa
    unit: numbers.Unit

    def points(self, pairs: Iterable[Point]) -> list[Point]:
        return self.axes.points((x / self.unit.factor, value) for x, value in pairs)


def _plot(curves: Sequence[MetricCurve], target: float, over: Abscissa) -> _Plot:
    last = max(x for curve in curves for _, x, _ in curve.points)
    unit = numbers.unit_for([last], over.base)
    low, high = padded([target, *(value for curve in curves for _, _, value in curve.points)])
    x = Scale(0.0, last / unit.factor * 1.02 or 1.0, LEFT, RIGHT)
    return _Plot(Axes(x, Scale(low, high, BOTTOM, TOP)), over, unit)


def _draw_band(drawing: Drawing, plot: _Plot, band: Band) -> None:
    end = plot.axes.x.high * plot.unit.factor
    rows = [row for row in zip(band.x, band.low, band.high, strict=True) if row[0] <= end]
    upper = plot.points((x, high) for x, _, high in rows)
    lower = plot.points((x, low) for x, low, _ in rows)
    drawing.area(upper, lower, "board-band")


def _draw_target(drawing: Drawing, axes: Axes, target: float) -> None:
    level = axes.y(target)
    drawing.line([(LEFT, level), (RIGHT, level)], "target")
    text = f"target {numbers.exact(target)}"
    drawing.text((RIGHT - 4, level + 15), text, "label target-label end")


def _draw_curve(drawing: Drawing, plot: _Plot, curve: MetricCurve, *, tooltips: bool) -> None:
    points = plot.points((x, value) for _, x, value in curve.points)
    drawing.line(points, "run-line")
    if not tooltips:
        drawing.dots(points, "dots")
    for (index, x, value), point in zip(curve.points, points, strict=True):
        scored = index == curve.scored
        if not (tooltips or scored):
            continue
        style = ("dot counted" if curve.reached else "dot missed") if scored else "dot"
        text = (
            f"seed {curve.seed}, snapshot {index}: {numbers.plain(value, 4)} "
            f"after {numbers.quantity(x, plot.over.base)}{', scored' if scored else ''}"
        )
        drawing.circle(point, 4.5 if scored else 2.2, style, text)


def curve_chart(
    entry: Entry, ident: str, curves: Sequence[MetricCurve], over: Abscissa, band: Band | None
) -> Markup | None:
    """Draw the curves of all runs of an entry on the band of the board; None without a curve."""
    if not curves:
        return None
    quality = entry.score.quality
    plot = _plot(curves, quality.target, over)
    drawing = Drawing(WIDTH, HEIGHT)
    arrow = "↑" if quality.better == "higher" else "↓"
    plot.axes.draw(drawing, f"{over.name}, {plot.unit.symbol}", f"{quality.name} {arrow}")
    if band is not None:
        _draw_band(drawing, plot, band)
    _draw_target(drawing, plot.axes, quality.target)
    tooltips = sum(len(curve.points) for curve in curves) <= TOOLTIPS_MAX
    for curve in curves:
        _draw_curve(drawing, plot, curve, tooltips=tooltips)
    reached = sum(curve.reached for curve in curves)
    summary = (
        f"{len(curves)} runs with snapshots, {reached} of them reached the target of "
        f"{numbers.exact(quality.target)} ({quality.name}, {quality.better} is better). "
        "The table of runs has the numbers."
    )
    title = f"{quality.name} of each run over {over.name}"
    return drawing.markup(ident, title, summary)
