"""Charts of step lines: the lowest known cost over time, and performance profiles."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure
from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Point, Scale, ends_of, padded

MARGIN = 0.15
"""Share of the time span that is left free before the first and after the last step."""

DAY_S = 86_400.0
LABEL_WIDTH = 90.0
COLOURS = 6
"""Algorithms whose profiles are drawn at most; the table has all."""


class HistoryMark(NamedTuple):
    """One step of the lowest known cost."""

    at_s: float | None
    """Seconds since 1970; None where unknown."""
    figure: Figure
    noise: bool
    """Whether its interval overlaps with that of the best before it."""
    title: str


def time_text(at_s: float, span_s: float) -> str:
    """Format a time as UTC, as a date where the chart spans several days."""
    style = "%Y-%m-%d" if span_s > 3 * DAY_S else "%m-%d %H:%M:%S"
    return datetime.fromtimestamp(at_s, UTC).strftime(style)


def history_chart(marks: Sequence[HistoryMark], base: str, ident: str) -> Markup | None:
    """Draw the lowest known cost; None for fewer than two steps, or where a value is unknown.

    `marks` are the steps, oldest first; `base` is the base unit of the costs, `J` or `s`.
    """
    times = [mark.at_s for mark in marks if mark.at_s is not None]
    ends = [[end for end in ends_of(mark.figure) if end > 0] for mark in marks]
    if len(marks) < 2 or len(times) < len(marks) or not all(ends):  # noqa: PLR2004 - a step has two ends
        return None
    unit = numbers.unit_for((mark.figure.value for mark in marks), base)
    span_s = max(times[-1] - times[0], 1.0)
    low, high = padded([end / unit.factor for row in ends for end in row], log=True)
    left, right, base_y = 60.0, 540.0, 196.0
    axes = Axes(
        Scale(times[0] - span_s * MARGIN, times[-1] + span_s * MARGIN, left, right),
        Scale(low, high, base_y, 34.0, log=True),
    )
    drawing = Drawing(560.0, 240.0)
    axes.draw_y(drawing, f"lowest known, {unit.symbol} ↓")
    drawing.line([(left, base_y), (right, base_y)], "axis")
    points = axes.points(
        (at_s, mark.figure.value / unit.factor) for at_s, mark in zip(times, marks, strict=True)
    )
    # A time is written where its label does not run into the one before.
    free = left - LABEL_WIDTH
    for at_s, (x, _) in zip(times, points, strict=True):
        if x - free >= LABEL_WIDTH:
            drawing.line([(x, base_y), (x, base_y + 4)], "axis")
            drawing.text((x, base_y + 18), time_text(at_s, span_s), "tick middle")
            free = x
    drawing.text((right, base_y + 36), "first run, UTC", "axis-name end")
    drawing.steps([*points, (right, points[-1][1])], "front")
    words = [f"{mark.title}: {numbers.quantity(mark.figure.value, base)}" for mark in marks]
    for mark, point, row, text in zip(marks, points, ends, words, strict=True):
        interval = [(point[0], axes.y(end / unit.factor)) for end in (row[0], row[-1])]
        drawing.line(interval, "cross measured")
        drawing.circle(point, 4.2, "point hollow" if mark.noise else "point measured", text)
    return drawing.markup(ident, "Lowest known cost over time", f"{'; '.join(words)}.")


def steps_of(ratios: Sequence[float], ratio_max: float) -> list[Point]:
    """Return the corners of a profile: ratio from 1 on, and the part of workloads up to it."""
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
    axes = Axes(Scale(1.0, ratio_max, 52.0, 908.0), Scale(0.0, 1.0, 272.0, 34.0))
    drawing = Drawing(920.0, 320.0)
    axes.draw(drawing, "cost over the lowest cost of the workload", "part of the workloads")
    for number, (_, ratios) in reversed(list(enumerate(shown))):
        drawing.steps(axes.points(steps_of(ratios, ratio_max)), f"power d{number}")
    summary = "; ".join(
        f"{name}: best on {sum(ratio <= 1.0 for ratio in ratios)} of {len(ratios)}"
        for name, ratios in shown
    )
    return drawing.markup(ident, "Performance profiles", f"{summary}. The table has the scores.")
