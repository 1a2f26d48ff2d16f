"""The metric of every snapshot over time or energy, one line per run, with the target."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from harness.records import MetricResult
from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded
from harness.report.digest import MetricCurve

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 30.0, 278.0
BAND_POINTS = 120
TOOLTIPS_MAX = 40
"""With more snapshots only the scored ones have tooltips."""


class Band(NamedTuple):
    """The least and greatest metric of all runs of a board, over time or energy."""

    x: tuple[float, ...]
    """Seconds or joules by which at least one run has handed over a snapshot."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs_count: int


def band_of(entries: Sequence[Sequence[MetricCurve]]) -> Band | None:
    """Return the band of the runs of all entries; None where fewer than two entries have a curve.

    A run keeps the metric of its last snapshot until the next one, and leaves the band after its
    last one.
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


def _draw_curve(
    drawing: Drawing, curve: MetricCurve, points: Sequence[Point], base: str, *, tooltips: bool
) -> None:
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
            f"after {numbers.quantity(x, base)}{', scored' if scored else ''}"
        )
        drawing.circle(point, 4.5 if scored else 2.2, style, text)


def curve_chart(
    quality: MetricResult, ident: str, curves: Sequence[MetricCurve], base: str, band: Band | None
) -> Markup | None:
    """Draw the curves of all runs of an entry on the band of the board; None without a curve.

    `base` is the base unit of what they are drawn over: `s` for time, `J` for energy.
    """
    if not curves:
        return None
    last = max(x for curve in curves for _, x, _ in curve.points)
    values = [value for curve in curves for _, _, value in curve.points]
    unit = numbers.unit_for([last], base)
    across = Scale(0.0, last / unit.factor * 1.02 or 1.0, LEFT, RIGHT)
    axes = Axes(across, Scale(*padded([quality.target, *values]), BOTTOM, TOP))
    drawing = Drawing(WIDTH, HEIGHT)
    over = f"{'time' if base == 's' else 'energy'} since the start signal"
    arrow = "↑" if quality.better == "higher" else "↓"
    axes.draw(drawing, f"{over}, {unit.symbol}", f"{quality.name} {arrow}")
    if band is not None:
        inside = [at for at, x in enumerate(band.x) if x <= across.high * unit.factor]
        ends = [
            axes.points((band.x[at] / unit.factor, row[at]) for at in inside)
            for row in (band.high, band.low)
        ]
        drawing.area(ends[0], ends[1], "board-band")
    level = axes.y(quality.target)
    drawing.line([(LEFT, level), (RIGHT, level)], "target")
    label = f"target {numbers.exact(quality.target)}"
    drawing.text((RIGHT - 4, level + 15), label, "label target-label end")
    tooltips = sum(len(curve.points) for curve in curves) <= TOOLTIPS_MAX
    for curve in curves:
        points = axes.points((x / unit.factor, value) for _, x, value in curve.points)
        _draw_curve(drawing, curve, points, base, tooltips=tooltips)
    reached = sum(curve.reached for curve in curves)
    summary = (
        f"{len(curves)} runs with snapshots, {reached} of them reached the target of "
        f"{numbers.exact(quality.target)} ({quality.name}, {quality.better} is better). "
        "The table of runs has the numbers."
    )
    return drawing.markup(ident, f"{quality.name} of each run over {over}", summary)
