"""Performance profiles: on which part of the workloads a cost is near the lowest one."""

from collections.abc import Sequence
from math import isfinite

from markupsafe import Markup

from harness.report.charts.svg import Axes, Drawing, Point, Scale

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 34.0, 272.0
COLOURS = 6
"""Algorithms that are drawn at most; the table has all."""


def steps_of(ratios: Sequence[float], ratio_max: float) -> list[Point]:
    """Corners of a profile from 1 to `ratio_max`: ratio, and the part of workloads up to it."""
    reached = sorted(ratio for ratio in ratios if isfinite(ratio) and ratio <= ratio_max)
    corners = [(1.0, sum(ratio <= 1.0 for ratio in reached) / len(ratios))]
    corners += [(ratio, n / len(ratios)) for n, ratio in enumerate(reached, 1) if ratio > 1.0]
    return [*corners, (ratio_max, len(reached) / len(ratios))]


def profile_chart(
    rows: Sequence[tuple[str, Sequence[float]]], ratio_max: float, ident: str
) -> Markup | None:
    """Draw the profiles of the first rows, the best of them on top; None where there is none."""
    shown = rows[:COLOURS]
    if not shown:
        return None
    axes = Axes(Scale(1.0, ratio_max, LEFT, RIGHT), Scale(0.0, 1.0, BOTTOM, TOP))
    drawing = Drawing(WIDTH, HEIGHT)
    axes.draw(drawing, "cost over the lowest cost of the workload", "part of the workloads")
    for number, (_, ratios) in reversed(list(enumerate(shown))):
        drawing.steps(axes.points(steps_of(ratios, ratio_max)), f"power d{number}")
    summary = "; ".join(
        f"{name}: best on {sum(ratio <= 1.0 for ratio in ratios)} of {len(ratios)}"
        for name, ratios in shown
    )
    return drawing.markup(ident, "Performance profiles", f"{summary}. The table has the scores.")
