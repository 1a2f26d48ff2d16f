"""Entries as points between two quantities, with intervals and the front of the undominated."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.prizes import fronts
from harness.records import Figure
from harness.report import numbers, wording
from harness.report.charts.svg import Axes, Drawing, Point, Scale, padded, shortened, text_width
from harness.report.entries import Entry
from harness.report.finite import all_positive
from harness.report.text import isolated

WIDTH, HEIGHT = 560.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 542.0, 30.0, 312.0
LABELS_MAX = 14
"""Beyond that many points labels would cover each other; tooltips stay."""
LABEL_LENGTH = 22


RADIUS = 4.2
LETTER_WIDTH = 6.2
"""Width of a label's average letter."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class Dot(NamedTuple):
    """One entry in the plane."""

    name: str
    x: Figure
    y: Figure
    estimate: bool
    """Whether its joules were not measured."""
    p_front: float | None = None
    """Chance to be on the front when costs are redrawn; None where nobody knows."""


LIKELY = 0.05
"""Entries off the front by value are named where their chance of it is at least this."""


class Axis(NamedTuple):
    """What one direction shows."""

    name: str
    base: str
    """Base unit."""
    better: str
    log: bool = True


ENERGY = Axis("energy to target", "J", "lower")
TIME = Axis("time to target", "s", "lower")


def dots_of(entries: Sequence[Entry], *, against_metric: bool) -> list[Dot]:
    """Entries that have joules and the other quantity: seconds, or the metric."""
    found = []
    for entry in entries:
        energy = entry.score.costs.energy_to_target_j
        other = entry.score.quality.figure if against_metric else entry.score.costs.time_to_target_s
        if energy is None or other is None or energy.value <= 0:
            continue
        if against_metric or other.value > 0:
            name = entry.score.entry.title or entry.score.entry.submission
            pair = (energy, other) if against_metric else (other, energy)
            found.append(Dot(name, *pair, wording.is_estimate(energy)))
    return found


def with_chances(dots: Sequence[Dot], entries: Sequence[Entry]) -> list[Dot]:
    """Dots of costs with their chances to be on the front; unlike joules have fronts apart."""
    scores = [entry.score for entry in entries if all_positive(entry.score)]
    kinds = [wording.is_estimate(score.costs.energy_to_target_j) for score in scores]
    chances = {
        (point.x, point.y): point.p_front
        for kind in (False, True)
        for found in fronts([s for s, item in zip(scores, kinds, strict=True) if item is kind])
        for point in found.points
    }
    return [dot._replace(p_front=chances.get((dot.x.value, dot.y.value))) for dot in dots]


def front_words(dots: Sequence[Dot]) -> str:
    """Who is on the front of the measured, each with the chance of it; empty where unknown."""
    found = front([dot for dot in dots if not dot.estimate], "lower", "lower")
    told = [
        f"{isolated(dot.name)} {numbers.percent(dot.p_front)}"
        for dot in sorted(dots, key=lambda dot: -(dot.p_front or 0.0))
        if not dot.estimate and dot.p_front is not None and (dot in found or dot.p_front >= LIKELY)
    ]
    if not told:
        return ""
    return f"Chance to be on it when costs are redrawn within their spread: {', '.join(told)}."


def front(dots: Sequence[Dot], x_better: str, y_better: str) -> list[Dot]:
    """Dots that no other one beats in both directions, by x."""
    sign_x = 1 if x_better == "lower" else -1
    sign_y = 1 if y_better == "lower" else -1
    kept: list[Dot] = []
    for dot in sorted(dots, key=lambda each: (sign_x * each.x.value, sign_y * each.y.value)):
        if not kept or sign_y * dot.y.value < sign_y * kept[-1].y.value:
            kept.append(dot)
    return kept


def _ends(figure: Figure) -> list[float]:
    return [end for end in (figure.low, figure.value, figure.high) if end is not None]


def _scale(figures: Sequence[Figure], axis: Axis, unit: float, ends: Point) -> Scale:
    values = [end / unit for figure in figures for end in _ends(figure)]
    usable = [value for value in values if value > 0] if axis.log else values
    low, high = padded(usable, log=axis.log)
    return Scale(low, high, *ends, log=axis.log)


class Plane:
    """The drawing of one plane."""

    def __init__(self, dots: Sequence[Dot], x: Axis, y: Axis) -> None:
        self.dots = dots
        self.x, self.y = x, y
        self._taken: list[Box] = []
        self.x_unit = numbers.unit_for((dot.x.value for dot in dots), x.base)
        self.y_unit = numbers.unit_for((dot.y.value for dot in dots), y.base)
        self.axes = Axes(
            _scale([dot.x for dot in dots], x, self.x_unit.factor, (LEFT, RIGHT)),
            _scale([dot.y for dot in dots], y, self.y_unit.factor, (BOTTOM, TOP)),
        )
        for dot in dots if len(dots) <= LABELS_MAX else ():
            left, top = (item - RADIUS for item in self.at(dot.x.value, dot.y.value))
            self._taken.append((left, top, left + 2 * RADIUS, top + 2 * RADIUS))

    def at(self, x: float, y: float) -> Point:
        """Pixels of a point in base units."""
        return self.axes.at(x / self.x_unit.factor, y / self.y_unit.factor)

    def draw_front(self, onto: Drawing, *, estimate: bool) -> int:
        """The front of the measured, or of the estimated, dots; returns how many are on it."""
        chosen = [dot for dot in self.dots if dot.estimate is estimate]
        found = front(chosen, self.x.better, self.y.better)
        style = f"front{' modelled' if estimate else ''}"
        if len(found) > 1:
            onto.steps([self.at(dot.x.value, dot.y.value) for dot in found], style)
        return len(found)

    def draw_dot(self, onto: Drawing, dot: Dot) -> None:
        """A point with its two intervals."""
        style = "modelled" if dot.estimate else "measured"
        x, y = self.at(dot.x.value, dot.y.value)
        across = [self.at(end, dot.y.value) for end in _ends(dot.x)]
        along = [self.at(dot.x.value, end) for end in _ends(dot.y)]
        onto.line([across[0], across[-1]], f"cross {style}")
        onto.line([along[0], along[-1]], f"cross {style}")
        words = (
            f"{dot.name}: {numbers.quantity(dot.x.value, self.x.base)}, "
            f"{numbers.quantity(dot.y.value, self.y.base)}{', estimated' if dot.estimate else ''}"
        )
        if dot.p_front is not None:
            words += f", on the front with {numbers.percent(dot.p_front)}"
        onto.circle((x, y), RADIUS, f"point {style}", words)
        if len(self.dots) <= LABELS_MAX:
            self._label(onto, (x, y), dot.name)

    def _label(self, onto: Drawing, at: Point, name: str) -> None:
        """The name beside its point, in the first of four corners that is free."""
        short = shortened(name, LABEL_LENGTH)
        width = LETTER_WIDTH * text_width(short)
        sides = ("end", "start") if at[0] + width > RIGHT else ("start", "end")
        for side, drop in ((side, drop) for side in sides for drop in (-7.0, 15.0)):
            left = at[0] + 8 if side == "start" else at[0] - 8 - width
            box = (left, at[1] + drop - 10, left + width, at[1] + drop + 3)
            if not any(_overlap(box, other) for other in self._taken):
                self._taken.append(box)
                place = (at[0] + (8 if side == "start" else -8), at[1] + drop)
                onto.text(place, short, f"label {side}")
                return


def _axis_text(axis: Axis, unit: numbers.Unit) -> str:
    arrow = "↓" if axis.better == "lower" else "↑"
    symbol = f", {unit.symbol}" if unit.symbol else ""
    return f"{axis.name}{symbol} {arrow}"


def plane_chart(dots: Sequence[Dot], x: Axis, y: Axis, ident: str) -> Markup | None:
    """The plane; None for fewer than two entries that have both quantities."""
    if len(dots) < 2:  # noqa: PLR2004 - one point compares with nothing
        return None
    plane = Plane(dots, x, y)
    drawing = Drawing(WIDTH, HEIGHT)
    plane.axes.draw(drawing, _axis_text(x, plane.x_unit), _axis_text(y, plane.y_unit))
    measured = plane.draw_front(drawing, estimate=False)
    modelled = plane.draw_front(drawing, estimate=True)
    for dot in sorted(dots, key=lambda each: not each.estimate):
        plane.draw_dot(drawing, dot)
    description = (
        f"{len(dots)} entries; on the front of measured ones {measured}, of estimated ones "
        f"{modelled}. The table of the board has the numbers."
    )
    return drawing.markup(ident, f"{y.name} against {x.name}", description)
