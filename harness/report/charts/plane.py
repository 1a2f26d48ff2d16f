"""Entries as points between two quantities, with intervals and the Pareto front."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.prizes import fronts
from harness.records import Figure
from harness.report import numbers, wording
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded, shortened, text_width
from harness.report.entries import Entry, all_positive
from harness.report.text import isolated

WIDTH, HEIGHT = 560.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 542.0, 30.0, 312.0
LABELS_MAX = 14
"""With more points the labels would overlap; tooltips remain."""
LABEL_LENGTH = 22
RADIUS = 4.2
LETTER_WIDTH = 6.2
"""Width of an average letter of a label."""
LIKELY = 0.05
"""Entries that are not on the front by value are named if their probability is this large."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Dot(NamedTuple):
    """One entry in the plane."""

    name: str
    x: Figure
    y: Figure
    estimate: bool
    """Whether its energy was not measured."""
    p_front: float | None = None
    """Probability to be on the front when costs are redrawn; None where unknown."""


class Axis(NamedTuple):
    """The quantity of one axis."""

    name: str
    base: str
    """Base unit."""
    better: str
    log: bool = True


ENERGY = Axis("energy to target", "J", "lower")
TIME = Axis("time to target", "s", "lower")


def dots_of(entries: Sequence[Entry], *, against_metric: bool) -> list[Dot]:
    """Return the entries with energy and the other quantity: time, or the metric."""
    dots = []
    for entry in entries:
        energy = entry.score.costs.energy_to_target_j
        other = entry.score.quality.figure if against_metric else entry.score.costs.time_to_target_s
        if energy is None or other is None or energy.value <= 0:
            continue
        if against_metric or other.value > 0:
            x, y = (energy, other) if against_metric else (other, energy)
            dots.append(Dot(entry.title, x, y, wording.is_estimate(energy)))
    return dots


def with_probabilities(dots: Sequence[Dot], entries: Sequence[Entry]) -> list[Dot]:
    """Add the probability to be on the front; measured and estimated energy have two fronts."""
    probabilities: dict[Point, float | None] = {}
    scores = [entry.score for entry in entries if all_positive(entry.score)]
    for estimate in (False, True):
        chosen = [s for s in scores if wording.is_estimate(s.costs.energy_to_target_j) is estimate]
        for one in fronts(chosen):
            probabilities |= {(point.x, point.y): point.p_front for point in one.points}
    return [dot._replace(p_front=probabilities.get((dot.x.value, dot.y.value))) for dot in dots]


def front_text(dots: Sequence[Dot]) -> str:
    """Name the measured entries on the front with their probabilities; empty where unknown."""
    measured = [dot for dot in dots if not dot.estimate]
    on_front = front(measured, "lower", "lower")
    names = [
        f"{isolated(dot.name)} {numbers.percent(dot.p_front)}"
        for dot in sorted(measured, key=lambda dot: -(dot.p_front or 0.0))
        if dot.p_front is not None and (dot in on_front or dot.p_front >= LIKELY)
    ]
    if not names:
        return ""
    return (
        f"Probability to be on it when costs are redrawn within their spread: {', '.join(names)}."
    )


def front(dots: Iterable[Dot], x_better: str, y_better: str) -> list[Dot]:
    """Return the dots that no other one beats in both directions, sorted by x."""
    sign_x = 1 if x_better == "lower" else -1
    sign_y = 1 if y_better == "lower" else -1
    kept: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (sign_x * dot.x.value, sign_y * dot.y.value)):
        if not kept or sign_y * dot.y.value < sign_y * kept[-1].y.value:
            kept.append(dot)
    return kept


def _ends(figure: Figure) -> list[float]:
    return [end for end in (figure.low, figure.value, figure.high) if end is not None]


def _scale(figures: Sequence[Figure], axis: Axis, unit: float, start: float, end: float) -> Scale:
    values = [value / unit for figure in figures for value in _ends(figure)]
    usable = [value for value in values if value > 0] if axis.log else values
    return Scale(*padded(usable, log=axis.log), start, end, log=axis.log)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class _Plane:
    """Draws one plane."""

    def __init__(self, dots: Sequence[Dot], x: Axis, y: Axis) -> None:
        self.dots = dots
        self.x, self.y = x, y
        self.drawing = Drawing(WIDTH, HEIGHT)
        self.x_unit = numbers.unit_for((dot.x.value for dot in dots), x.base)
        self.y_unit = numbers.unit_for((dot.y.value for dot in dots), y.base)
        self.axes = Axes(
            _scale([dot.x for dot in dots], x, self.x_unit.factor, LEFT, RIGHT),
            _scale([dot.y for dot in dots], y, self.y_unit.factor, BOTTOM, TOP),
        )
        self.labelled = len(dots) <= LABELS_MAX
        corners = [self.at(dot.x.value, dot.y.value) for dot in dots]
        self._taken: list[Box] = [
            (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in corners
        ]

    def at(self, x: float, y: float) -> Point:
        """Return the pixels of a point in base units."""
        return self.axes.x(x / self.x_unit.factor), self.axes.y(y / self.y_unit.factor)

    def draw_front(self, *, estimate: bool) -> int:
        """Draw the front of the measured or of the estimated dots; return how many are on it."""
        chosen = (dot for dot in self.dots if dot.estimate is estimate)
        dots = front(chosen, self.x.better, self.y.better)
        if len(dots) > 1:
            points = [self.at(dot.x.value, dot.y.value) for dot in dots]
            self.drawing.steps(points, f"front{' modelled' if estimate else ''}")
        return len(dots)

    def draw_dot(self, dot: Dot) -> None:
        """Draw a point with its two intervals."""
        style = "modelled" if dot.estimate else "measured"
        point = self.at(dot.x.value, dot.y.value)
        x_ends, y_ends = _ends(dot.x), _ends(dot.y)
        for row in (
            [self.at(end, dot.y.value) for end in (x_ends[0], x_ends[-1])],
            [self.at(dot.x.value, end) for end in (y_ends[0], y_ends[-1])],
        ):
            self.drawing.line(row, f"cross {style}")
        text = (
            f"{dot.name}: {numbers.quantity(dot.x.value, self.x.base)}, "
            f"{numbers.quantity(dot.y.value, self.y.base)}{', estimated' if dot.estimate else ''}"
        )
        if dot.p_front is not None:
            text += f", on the front with probability {numbers.percent(dot.p_front)}"
        self.drawing.circle(point, RADIUS, f"point {style}", text)
        if self.labelled:
            self._label(point, dot.name)

    def _label(self, at: Point, name: str) -> None:
        """Write the name next to its point, at the first of four corners that is free."""
        short = shortened(name, LABEL_LENGTH)
        width = LETTER_WIDTH * text_width(short)
        sides = ("end", "start") if at[0] + width > RIGHT else ("start", "end")
        for side, drop in ((side, drop) for side in sides for drop in (-7.0, 15.0)):
            left = at[0] + 8 if side == "start" else at[0] - 8 - width
            box = (left, at[1] + drop - 10, left + width, at[1] + drop + 3)
            if not any(_overlap(box, other) for other in self._taken):
                self._taken.append(box)
                place = (at[0] + (8 if side == "start" else -8), at[1] + drop)
                self.drawing.text(place, short, f"label {side}")
                return


def _axis_text(axis: Axis, unit: numbers.Unit) -> str:
    arrow = "↓" if axis.better == "lower" else "↑"
    symbol = f", {unit.symbol}" if unit.symbol else ""
    return f"{axis.name}{symbol} {arrow}"


def plane_chart(dots: Sequence[Dot], x: Axis, y: Axis, ident: str) -> Markup | None:
    """Draw the plane; None for fewer than two entries that have both quantities."""
    if len(dots) < 2:  # noqa: PLR2004 - a single point compares nothing
        return None
    plane = _Plane(dots, x, y)
    plane.axes.draw(plane.drawing, _axis_text(x, plane.x_unit), _axis_text(y, plane.y_unit))
    measured = plane.draw_front(estimate=False)
    estimated = plane.draw_front(estimate=True)
    for dot in sorted(dots, key=lambda dot: not dot.estimate):
        plane.draw_dot(dot)
    summary = (
        f"{len(dots)} entries; {measured} measured and {estimated} estimated ones are on their "
        "front. The table of the board has the numbers."
    )
    return plane.drawing.markup(ident, f"{y.name} against {x.name}", summary)
