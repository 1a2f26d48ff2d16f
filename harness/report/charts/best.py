"""The lowest known cost over time: a step line, each step with its interval."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure
from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Scale, padded

WIDTH, HEIGHT = 560.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 540.0, 34.0, 196.0
MARGIN = 0.15
"""Share of the time span that is left free before the first and after the last step."""

DAY_S = 86_400.0
LABEL_WIDTH = 90.0


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


def _draw_times(drawing: Drawing, x: Scale, times: Sequence[float], span_s: float) -> None:
    """Draw the time axis with the times of the steps, as far as their labels fit."""
    drawing.line([(LEFT, BOTTOM), (RIGHT, BOTTOM)], "axis")
    free = LEFT - LABEL_WIDTH
    for at_s in times:
        if x(at_s) - free >= LABEL_WIDTH:
            drawing.line([(x(at_s), BOTTOM), (x(at_s), BOTTOM + 4)], "axis")
            drawing.text((x(at_s), BOTTOM + 18), time_text(at_s, span_s), "tick middle")
            free = x(at_s)
    drawing.text((RIGHT, BOTTOM + 36), "first run, UTC", "axis-name end")


def _ends(figure: Figure) -> list[float]:
    return [end for end in (figure.low, figure.value, figure.high) if end is not None and end > 0]


def history_chart(marks: Sequence[HistoryMark], base: str, ident: str) -> Markup | None:
    """Draw the step line; None for fewer than two steps, or where a time or cost is unknown.

    Args:
        marks: the steps, oldest first.
        base: base unit of the costs, `J` or `s`.
        ident: an id that is unique on the page.
    """
    times = [mark.at_s for mark in marks if mark.at_s is not None]
    ends = [_ends(mark.figure) for mark in marks]
    if len(marks) < 2 or len(times) < len(marks) or not all(ends):  # noqa: PLR2004 - a step has two ends
        return None
    unit = numbers.unit_for((mark.figure.value for mark in marks), base)
    span_s = max(times[-1] - times[0], 1.0)
    low, high = padded([end / unit.factor for row in ends for end in row], log=True)
    axes = Axes(
        Scale(times[0] - span_s * MARGIN, times[-1] + span_s * MARGIN, LEFT, RIGHT),
        Scale(low, high, BOTTOM, TOP, log=True),
    )
    drawing = Drawing(WIDTH, HEIGHT)
    axes.draw_y(drawing, f"lowest known, {unit.symbol} ↓")
    _draw_times(drawing, axes.x, times, span_s)
    pairs = zip(times, marks, strict=True)
    points = axes.points((at_s, mark.figure.value / unit.factor) for at_s, mark in pairs)
    drawing.steps([*points, (RIGHT, points[-1][1])], "front")
    words = [f"{mark.title}: {numbers.quantity(mark.figure.value, base)}" for mark in marks]
    for mark, point, row, text in zip(marks, points, ends, words, strict=True):
        heights = [axes.y(end / unit.factor) for end in row]
        drawing.line([(point[0], heights[0]), (point[0], heights[-1])], "cross measured")
        drawing.circle(point, 4.2, "point hollow" if mark.noise else "point measured", text)
    return drawing.markup(ident, "Lowest known cost over time", f"{'; '.join(words)}.")
