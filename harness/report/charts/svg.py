"""Draws axes, lines, areas and marks as SVG text with rounded coordinates."""

import math
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from harness.records import Figure
from harness.report import numbers
from harness.report.text import clean

Point = tuple[float, float]

MARGIN = 0.06
"""Share of a scale that is left free at each end."""

LEAST_RATIO = 1.02
"""Least ratio of the ends of a logarithmic scale, so that it has a length."""

LEAST, GREATEST = sys.float_info.min, sys.float_info.max
"""Limits of a scale: a metric of a diverged run may be as large as a float allows."""

LOG_TICKS_MAX = 9
"""With more ticks only powers of ten are labelled, and with more of them every so many."""

WIDE, FULL = 1.4, 1.9
"""Width of a capital, and of a full-width letter, in average letters."""

_WIDE_LETTERS = frozenset("ABCDEFGHKMNOPQRSTUVWXYZmw@%—…")


def px(value: float) -> str:
    """Format a coordinate with one decimal, which is the same on every machine."""
    text = f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def ends_of(figure: Figure) -> list[float]:
    """Return the value of a figure and the known ends of its interval, in ascending order."""
    return [end for end in (figure.low, figure.value, figure.high) if end is not None]


def text_width(text: str) -> float:
    """Estimate the width of a text, in average letters."""
    return sum(
        FULL if unicodedata.east_asian_width(letter) in "WF" else
        WIDE if letter in _WIDE_LETTERS else 1.0
        for letter in text
    )  # fmt: skip


def shortened(text: str, width: float) -> str:
    """Cut a text to a width in average letters."""
    if text_width(text) <= width:
        return text
    kept = text[: int(width)]
    while kept and text_width(kept) > width:
        kept = kept[:-1]
    return f"{kept}…"


def cut(text: str, length: int) -> str:
    """Cut a text to a number of letters."""
    return text if len(text) <= length else f"{text[:length]}…"


@dataclass(frozen=True)
class Scale:
    """Maps data to pixels, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values off the scale are moved to its ends."""
        bounded = min(max(value, self.low), self.high)
        # Halves, so that the difference of two extreme values stays in the range of floats.
        low, at, high = (
            math.log(item) if self.log else item / 2 for item in (self.low, bounded, self.high)
        )
        part = (at - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)

    def ticks(self, count: int = 6) -> list[float]:
        """Return about `count` round values on the scale."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, count)


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return multiples of 1, 2, 2.5 or 5 times a power of ten, between the ends."""
    rough = high / max(count - 1, 1) - low / max(count - 1, 1)
    if not LEAST < rough < GREATEST / 10:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(part * power for part in (1, 2, 2.5, 5, 10) if part * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten; linear ticks where fewer than two fit."""
    last = min(math.ceil(math.log10(high)), sys.float_info.max_10_exp)
    exponents = range(math.floor(math.log10(low)), last + 1)
    values = [m * 10.0**e for e in exponents for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    if len(values) > LOG_TICKS_MAX:
        values = [tick for tick in values if f"{tick:e}"[0] == "1"]
        values = values[:: math.ceil(len(values) / LOG_TICKS_MAX)]
    return values if len(values) > 1 else ticks(low, high, 4)


def padded(values: Iterable[float], *, log: bool = False) -> tuple[float, float]:
    """Return the ends of a scale with some space around the values."""
    items = list(values)
    low, high = min(items), max(items)
    if log:
        room = max(math.log(high) - math.log(low), math.log(LEAST_RATIO)) * MARGIN
        return max(low * math.exp(-room), LEAST), min(high * math.exp(room), GREATEST)
    room = min(high - low, GREATEST) * MARGIN or abs(high) * MARGIN or 1.0
    return max(low - room, -GREATEST), min(high + room, GREATEST)


@dataclass
class Drawing:
    """The elements of one SVG, in the order of painting."""

    width: float
    height: float
    pieces: list[str] = field(default_factory=list)

    def _path(self, style: str, d: str) -> None:
        if d:
            self.pieces.append(f'<path class="{style}" d="{d}"/>')

    def line(self, points: Sequence[Point], style: str) -> None:
        """Draw a path through the points."""
        self._path(style, (points and "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)) or "")

    def steps(self, points: Sequence[Point], style: str) -> None:
        """Draw a path that keeps each height until the next point."""
        corners = list(points[:1])
        for x, y in points[1:]:
            corners += [(x, corners[-1][1]), (x, y)]
        self.line(corners, style)

    def dots(self, points: Sequence[Point], style: str) -> None:
        """Draw small dots in one path: strokes without length and with round ends."""
        self._path(style, "".join(f"M{px(x)} {px(y)}h0" for x, y in points))

    def area(self, upper: Sequence[Point], lower: Sequence[Point], style: str) -> None:
        """Fill the area between two paths over the same abscissae."""
        if upper:
            outline = [*upper, *reversed(lower)]
            self._path(style, "M" + "L".join(f"{px(x)} {px(y)}" for x, y in outline) + "Z")

    def rectangle(self, corner: Point, opposite: Point, style: str, title: str = "") -> None:
        """Draw a box between two corners, with a tooltip if a title is given."""
        (x0, y0), (x1, y1) = corner, opposite
        self._titled(
            f'rect class="{style}" x="{px(min(x0, x1))}" y="{px(min(y0, y1))}" '
            f'width="{px(abs(x1 - x0))}" height="{px(abs(y1 - y0))}"',
            title,
        )

    def circle(self, at: Point, radius: float, style: str, title: str = "") -> None:
        """Draw a dot, with a tooltip if a title is given."""
        self._titled(
            f'circle class="{style}" cx="{px(at[0])}" cy="{px(at[1])}" r="{px(radius)}"', title
        )

    def _titled(self, tag: str, title: str) -> None:
        name = tag.partition(" ")[0]
        inside = f"><title>{escape(clean(title))}</title></{name}>" if title else "/>"
        self.pieces.append(f"<{tag}{inside}")

    def text(self, at: Point, text: str, style: str = "label") -> None:
        """Draw a label; the style says how it is anchored."""
        x, y = px(at[0]), px(at[1])
        self.pieces.append(f'<text class="{style}" x="{x}" y="{y}">{escape(clean(text))}</text>')

    def group(self, start: int, style: str) -> None:
        """Put the elements from index `start` on into a group."""
        self.pieces[start:] = [f'<g class="{style}">', *self.pieces[start:], "</g>"]

    def window(self, start: int, left: float, right: float) -> None:
        """Put the elements from index `start` on into a frame that the zoom script can scale."""
        box = f"{px(left)} 0 {px(right - left)} {px(self.height)}"
        head = (
            f'<svg class="zoom" x="{px(left)}" width="{px(right - left)}" '
            f'height="{px(self.height)}" viewBox="{box}" preserveAspectRatio="none">'
        )
        self.pieces[start:] = [head, *self.pieces[start:], "</svg>"]

    def markup(self, ident: str, title: str, description: str, data: str = "") -> Markup:
        """Return the SVG; `ident` is unique on its page, `data` holds attributes for scripts."""
        head = (
            f'<svg class="chart"{data} viewBox="0 0 {px(self.width)} {px(self.height)}" role="img" '
            f'aria-labelledby="{escape(ident)}-t {escape(ident)}-d">'
            f'<title id="{escape(ident)}-t">{escape(clean(title))}</title>'
            f'<desc id="{escape(ident)}-d">{escape(clean(description))}</desc>'
        )
        return Markup(head + "".join(self.pieces) + "</svg>")  # noqa: S704 - escaped piece by piece


@dataclass(frozen=True)
class Axes:
    """A plotting area with its two scales."""

    x: Scale
    y: Scale

    def points(self, points: Iterable[Point]) -> list[Point]:
        """Return the pixels of points."""
        return [(self.x(x), self.y(y)) for x, y in points]

    def draw(self, drawing: Drawing, x_label: str, y_label: str) -> None:
        """Draw the grid, the numbers and the names of both axes."""
        self.draw_y(drawing, y_label)
        base = self.y.start
        drawing.line([(self.x.start, base), (self.x.end, base)], "axis")
        start = len(drawing.pieces)
        values = self.x.ticks(7)
        for tick, text in zip(values, tick_texts(values, self.x), strict=True):
            x = self.x(tick)
            drawing.line([(x, base), (x, base + 4)], "axis")
            drawing.text((x, base + 18), text, "tick middle")
        drawing.group(start, "times")
        drawing.text((self.x.end, base + 34), x_label, "axis-name end")

    def draw_y(self, drawing: Drawing, y_label: str) -> None:
        """Draw the grid, the numbers and the name of the y axis; the name is above it."""
        values = self.y.ticks(5)
        for tick, text in zip(values, tick_texts(values, self.y), strict=True):
            y = self.y(tick)
            drawing.line([(self.x.start, y), (self.x.end, y)], "grid")
            drawing.text((self.x.start - 8, y + 4), text, "tick end")
        if y_label:
            drawing.text((self.x.start, self.y.end - 10), y_label, "axis-name")


def tick_texts(values: Sequence[float], scale: Scale) -> list[str]:
    """Format ticks; those of a linear scale have equally many decimals."""
    near_zero = 1e-12 * max(abs(scale.low), abs(scale.high))
    texts = []
    for value in values:
        text = "0" if not scale.log and abs(value) < near_zero else f"{value:.6g}"
        texts.append(numbers.plain(value, 2) if "e" in text else numbers.grouped(text))
    decimal = all(set(text) <= set("0123456789.\N{MINUS SIGN}") for text in texts)
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    if scale.log or not decimal or not decimals:
        return texts
    parts = [text.partition(".") for text in texts]
    padded_texts = [f"{integer}.{rest:0<{decimals}}" for integer, _, rest in parts]
    return [text if text == "0" else whole for text, whole in zip(texts, padded_texts, strict=True)]
