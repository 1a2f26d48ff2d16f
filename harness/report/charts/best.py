"""The best known cost over time: a step line, each step with its interval."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure
from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Scale, padded

WIDTH, HEIGHT = 560.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 540.0, 34.0, 196.0
AFTER = 0.15
"""Part of the time that the line goes on for after its last step."""

DAY_S = 86_400.0
APART = 90.0
"""Pixels that the label of a moment takes."""


class HistoryMark(NamedTuple):
    """One step of the best known cost."""

    at_s: float | None
    """Seconds since 1970; None where nobody knows."""
    figure: Figure
    noise: bool
    """Whether its interval reaches that of the best before."""
    title: str


def moment(at_s: float, span_s: float) -> str:
    """A moment as UTC, as finely as the span asks."""
    style = "%Y-%m-%d" if span_s > 3 * DAY_S else "%m-%d %H:%M:%S"
    return datetime.fromtimestamp(at_s, UTC).strftime(style)


def _moments(onto: Drawing, x: Scale, moments: Sequence[float], span_s: float) -> None:
    """Axis with the times of the steps, as far as their labels have room."""
    onto.line([(LEFT, BOTTOM), (RIGHT, BOTTOM)], "axis")
    free = LEFT - APART
    for at_s in moments:
        if x(at_s) - free >= APART:
            onto.line([(x(at_s), BOTTOM), (x(at_s), BOTTOM + 4)], "axis")
            onto.text((x(at_s), BOTTOM + 18), moment(at_s, span_s), "tick middle")
            free = x(at_s)
    onto.text((RIGHT, BOTTOM + 36), "first run, UTC", "axis-name end")


def _ends(figure: Figure) -> list[float]:
    return [end for end in (figure.low, figure.value, figure.high) if end is not None and end > 0]


def history_chart(marks: Sequence[HistoryMark], base: str, ident: str) -> Markup | None:
    """The step line; None for fewer than two steps, or where a time or a cost is not known.

    Args:
        marks: the steps, oldest first.
        base: base unit of the costs, `J` or `s`.
        ident: unique on the page.
    """
    times = [mark.at_s for mark in marks if mark.at_s is not None]
    costs = [end for mark in marks for end in _ends(mark.figure)]
    if len(marks) < 2 or len(times) < len(marks) or any(not _ends(item.figure) for item in marks):  # noqa: PLR2004
        return None
    unit = numbers.unit_for((mark.figure.value for mark in marks), base)
    span_s = max(times[-1] - times[0], 1.0)
    low, high = padded([cost / unit.factor for cost in costs], log=True)
    axes = Axes(
        Scale(times[0] - span_s * AFTER, times[-1] + span_s * AFTER, LEFT, RIGHT),
        Scale(low, high, BOTTOM, TOP, log=True),
    )
    drawing = Drawing(WIDTH, HEIGHT)
    axes.draw_heights(drawing, f"best known, {unit.symbol} ↓")
    _moments(drawing, axes.x, times, span_s)
    points = [(at_s, entry_.figure.value) for at_s, entry_ in zip(times, marks, strict=True)]
    walked = axes.trail((at_s, value / unit.factor) for at_s, value in points)
    drawing.steps([*walked, (RIGHT, walked[-1][1])], "front")
    for mark, at in zip(marks, walked, strict=True):
        heights = [axes.y(end / unit.factor) for end in _ends(mark.figure)]
        drawing.line([(at[0], heights[0]), (at[0], heights[-1])], "cross measured")
        words = f"{mark.title}: {numbers.quantity(mark.figure.value, base)}"
        drawing.circle(at, 4.2, "point hollow" if mark.noise else "point measured", words)
    told = "; ".join(
        f"{element.title}: {numbers.quantity(element.figure.value, base)}" for element in marks
    )
    return drawing.markup(ident, "Best known cost over time", f"{told}.")
