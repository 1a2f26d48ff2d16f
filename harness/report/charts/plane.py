"""Entries as points between two quantities, with intervals and the Pareto front."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from markupsafe import Markup

from harness.prizes import fronts
from harness.records import Figure
from harness.report import numbers, wording
from harness.report.charts.svg import (
    Axes,
    Drawing,
    Point,
    Scale,
    ends_of,
    padded,
    shortened,
    text_width,
)
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


class _Quantity:
    """One axis of a plane: its unit, and its scale from values in base units to pixels."""

    def __init__(self, figures: Sequence[Figure], axis: Axis, start: float, end: float) -> None:
        self.unit = numbers.unit_for((figure.value for figure in figures), axis.base)
        values = [value / self.unit.factor for figure in figures for value in ends_of(figure)]
        usable = [value for value in values if value > 0] if axis.log else values
        self.scale = Scale(*padded(usable, log=axis.log), start, end, log=axis.log)
        symbol = f", {self.unit.symbol}" if self.unit.symbol else ""
        self.text = f"{axis.name}{symbol} {'↓' if axis.better == 'lower' else '↑'}"

    def __call__(self, value: float) -> float:
        return self.scale(value / self.unit.factor)


def _label(drawing: Drawing, name: str, point: Point, taken: list[Box]) -> None:
    """Write a name at the first of four corners of its point that is free, if any is."""
    (x, y), short = point, shortened(name, LABEL_LENGTH)
    width = LETTER_WIDTH * text_width(short)
    sides = ("end", "start") if x + width > RIGHT else ("start", "end")
    for side, drop in product(sides, (-7.0, 15.0)):
        left, top = x + 8 if side == "start" else x - 8 - width, y + drop - 10
        right, bottom = left + width, y + drop + 3
        if all(
            box[0] >= right or left >= box[2] or box[1] >= bottom or top >= box[3] for box in taken
        ):
            taken.append((left, top, right, bottom))
            drawing.text((x + (8 if side == "start" else -8), y + drop), short, f"label {side}")
            return


def plane_chart(dots: Sequence[Dot], x: Axis, y: Axis, ident: str) -> Markup | None:
    """Draw the plane; None for fewer than two entries that have both quantities."""
    if len(dots) < 2:  # noqa: PLR2004 - a single point compares nothing
        return None
    drawing = Drawing(WIDTH, HEIGHT)
    across = _Quantity([dot.x for dot in dots], x, LEFT, RIGHT)
    up = _Quantity([dot.y for dot in dots], y, BOTTOM, TOP)
    Axes(across.scale, up.scale).draw(drawing, across.text, up.text)
    counts = []
    for estimate in (False, True):
        best = front((dot for dot in dots if dot.estimate is estimate), x.better, y.better)
        corners = [(across(dot.x.value), up(dot.y.value)) for dot in best]
        if len(corners) > 1:
            drawing.steps(corners, f"front{' modelled' if estimate else ''}")
        counts.append(len(best))
    ordered = sorted(dots, key=lambda dot: not dot.estimate)
    points = [(across(dot.x.value), up(dot.y.value)) for dot in ordered]
    taken = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    for dot, point in zip(ordered, points, strict=True):
        style = "modelled" if dot.estimate else "measured"
        x_ends, y_ends = ends_of(dot.x), ends_of(dot.y)
        drawing.line([(across(end), point[1]) for end in (x_ends[0], x_ends[-1])], f"cross {style}")
        drawing.line([(point[0], up(end)) for end in (y_ends[0], y_ends[-1])], f"cross {style}")
        text = (
            f"{dot.name}: {numbers.quantity(dot.x.value, x.base)}, "
            f"{numbers.quantity(dot.y.value, y.base)}{', estimated' if dot.estimate else ''}"
        )
        if dot.p_front is not None:
            text += f", on the front with probability {numbers.percent(dot.p_front)}"
        drawing.circle(point, RADIUS, f"point {style}", text)
        if len(dots) <= LABELS_MAX:
            _label(drawing, dot.name, point, taken)
    summary = (
        f"{len(dots)} entries; {counts[0]} measured and {counts[1]} estimated ones are on their "
        "front. The table of the board has the numbers."
    )
    return drawing.markup(ident, f"{y.name} against {x.name}", summary)
