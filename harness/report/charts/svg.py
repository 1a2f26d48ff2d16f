"""A small drawing board: axes, lines, bands and marks as SVG text with rounded coordinates."""

import math
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from harness.report import numbers
from harness.report.text import clean

Point = tuple[float, float]

AIR = 0.06
"""Part of a scale that is left free at each end."""

LEAST_RATIO = 1.02
"""Between the ends of a logarithmic scale, so that it has a length."""

LEAST, GREATEST = sys.float_info.min, sys.float_info.max
"""Ends beyond which no scale reaches: still farther out there are no normal numbers."""

TEN = 10.0
LOG_TICKS_MAX = 9
"""Beyond these, only powers of ten are labelled, and of too many of them every so many."""

WIDE, FULL = 1.4, 1.9
"""Width of a capital, and of a letter as wide as it is high, in average letters."""


_BROAD = frozenset("ABCDEFGHKMNOPQRSTUVWXYZmw@%—…")


def px(value: float) -> str:
    """A coordinate with one decimal: the same on every machine, and short."""
    text = f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str) -> float:
    """About how wide a text is, in average letters."""
    return sum(
        FULL if unicodedata.east_asian_width(item) in "WF" else WIDE if item in _BROAD else 1.0
        for item in text
    )


def shortened(text: str, width: float) -> str:
    """As much of a text as fits into that many average letters."""
    if text_width(text) <= width:
        return text
    kept = text[: int(width)]
    while kept and text_width(kept) > width:
        kept = kept[:-1]
    return f"{kept}…"


@dataclass(frozen=True)
class Scale:
    """Maps data to pixels, linearly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value; values off the scale are held at its ends."""
        bounded = min(max(value, self.low), self.high)
        low, at, high = (self._placed(item) for item in (self.low, bounded, self.high))
        part = (at - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)

    def _placed(self, value: float) -> float:
        """Where a value lies; halves and logarithms, so that no difference overflows."""
        return math.log(value) if self.log else value / 2

    def ticks(self, wanted: int = 6) -> list[float]:
        """Round values on the scale, about as many as wanted."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, wanted)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten, between the ends."""
    rough = high / max(wanted - 1, 1) - low / max(wanted - 1, 1)
    if not LEAST < rough < GREATEST / TEN:
        return [low]
    step = _step(rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between the ends; plain ticks where fewer than two fit."""
    last = min(math.ceil(math.log10(high)), sys.float_info.max_10_exp)
    exponents = range(math.floor(math.log10(low)), last + 1)
    found = [m * 10.0**e for e in exponents for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    if len(found) > LOG_TICKS_MAX:
        found = [tick for tick in found if f"{tick:e}"[0] == "1"]
        found = found[:: math.ceil(len(found) / LOG_TICKS_MAX)]
    return found if len(found) > 1 else ticks(low, high, 4)


def padded(values: Iterable[float], *, log: bool = False) -> tuple[float, float]:
    """Ends of a scale that leaves some air around the values."""
    found = list(values)
    low, high = min(found), max(found)
    if log:
        room = max(math.log(high) - math.log(low), math.log(LEAST_RATIO)) * AIR
        return max(low * math.exp(-room), LEAST), min(high * math.exp(room), GREATEST)
    room = min(high - low, GREATEST) * AIR or abs(high) * AIR or 1.0
    return max(low - room, -GREATEST), min(high + room, GREATEST)


@dataclass
class Drawing:
    """Pieces of one SVG, in order of painting."""

    width: float
    height: float
    pieces: list[str] = field(default_factory=list)

    def line(self, points: Sequence[Point], style: str) -> None:
        """A path through the points."""
        if points:
            path = "L".join(f"{px(x)} {px(y)}" for x, y in points)
            self.pieces.append(f'<path class="{style}" d="M{path}"/>')

    def steps(self, points: Sequence[Point], style: str) -> None:
        """A path that keeps each height until the next point."""
        walked = list(points[:1])
        for x, y in points[1:]:
            walked += [(x, walked[-1][1]), (x, y)]
        self.line(walked, style)

    def dots(self, points: Sequence[Point], style: str) -> None:
        """Small dots in one path: strokes without length and with round ends."""
        if points:
            path = "".join(f"M{px(x)} {px(y)}h0" for x, y in points)
            self.pieces.append(f'<path class="{style}" d="{path}"/>')

    def area(self, upper: Sequence[Point], lower: Sequence[Point], style: str) -> None:
        """The surface between two paths over the same abscissae."""
        if upper:
            outline = [*upper, *reversed(lower)]
            path = "L".join(f"{px(x)} {px(y)}" for x, y in outline)
            self.pieces.append(f'<path class="{style}" d="M{path}Z"/>')

    def rectangle(self, corner: Point, opposite: Point, style: str, title: str = "") -> None:
        """A box between two corners, with a tooltip where a title is given."""
        (x0, y0), (x1, y1) = corner, opposite
        box = (
            f'<rect class="{style}" x="{px(min(x0, x1))}" y="{px(min(y0, y1))}" '
            f'width="{px(abs(x1 - x0))}" height="{px(abs(y1 - y0))}"'
        )
        inside = f"><title>{escape(clean(title))}</title></rect>" if title else "/>"
        self.pieces.append(box + inside)

    def circle(self, at: Point, radius: float, style: str, title: str = "") -> None:
        """A dot, with a tooltip where a title is given."""
        dot = f'<circle class="{style}" cx="{px(at[0])}" cy="{px(at[1])}" r="{px(radius)}"'
        inside = f"><title>{escape(clean(title))}</title></circle>" if title else "/>"
        self.pieces.append(dot + inside)

    def text(self, at: Point, text: str, style: str = "label") -> None:
        """A label; the style says how it is anchored."""
        x, y = px(at[0]), px(at[1])
        self.pieces.append(f'<text class="{style}" x="{x}" y="{y}">{escape(clean(text))}</text>')

    def group(self, start: int, style: str) -> None:
        """Put the pieces from `start` on into a group of their own."""
        self.pieces[start:] = [f'<g class="{style}">', *self.pieces[start:], "</g>"]

    def window(self, start: int, left: float, right: float) -> None:
        """Let the pieces from `start` on be looked at closer between two abscissae."""
        box = f"{px(left)} 0 {px(right - left)} {px(self.height)}"
        head = (
            f'<svg class="zoom" x="{px(left)}" width="{px(right - left)}" '
            f'height="{px(self.height)}" viewBox="{box}" preserveAspectRatio="none">'
        )
        self.pieces[start:] = [head, *self.pieces[start:], "</svg>"]

    def markup(self, ident: str, title: str, description: str, data: str = "") -> Markup:
        """The whole SVG; `ident` is unique on its page, `data` holds attributes for scripts."""
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

    def at(self, x: float, y: float) -> Point:
        """Pixels of a point."""
        return self.x(x), self.y(y)

    def trail(self, points: Iterable[Point]) -> list[Point]:
        """Pixels of many points."""
        return [self.at(x, y) for x, y in points]

    def draw(self, onto: Drawing, x_label: str, y_label: str) -> None:
        """Grid, numbers and names of both axes; the y name stands above the axis, upright."""
        self.draw_heights(onto, y_label)
        self._verticals(onto)
        onto.text((self.x.end, self.y.start + 34), x_label, "axis-name end")

    def draw_heights(self, onto: Drawing, y_label: str) -> None:
        """Grid, numbers and name of the upright axis alone."""
        self._horizontals(onto)
        if y_label:
            onto.text((self.x.start, self.y.end - 10), y_label, "axis-name")

    def _horizontals(self, onto: Drawing) -> None:
        ticks = self.y.ticks(5)
        for tick, text in zip(ticks, tick_texts(ticks, self.y), strict=True):
            y = self.y(tick)
            onto.line([(self.x.start, y), (self.x.end, y)], "grid")
            onto.text((self.x.start - 8, y + 4), text, "tick end")

    def _verticals(self, onto: Drawing) -> None:
        base = self.y.start
        onto.line([(self.x.start, base), (self.x.end, base)], "axis")
        start = len(onto.pieces)
        ticks = self.x.ticks(7)
        for tick, text in zip(ticks, tick_texts(ticks, self.x), strict=True):
            x = self.x(tick)
            onto.line([(x, base), (x, base + 4)], "axis")
            onto.text((x, base + 18), text, "tick middle")
        onto.group(start, "times")


def tick_texts(values: Sequence[float], scale: Scale) -> list[str]:
    """The numbers of a linear scale with equally many decimals; of a logarithmic one, its own."""
    texts = [tick_text(value, scale) for value in values]
    plain = all(set(text) <= set("0123456789.\N{MINUS SIGN}") for text in texts)
    if scale.log or not plain:
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [text if text == "0" else _filled(text, decimals) for text in texts]


def _filled(text: str, decimals: int) -> str:
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest:0<{decimals}}" if decimals else whole


def tick_text(value: float, scale: Scale) -> str:
    """A tick's number, with just the digits that tell it from its neighbours."""
    if not scale.log and abs(value) < 1e-12 * max(abs(scale.low), abs(scale.high)):
        return "0"
    text = f"{value:.6g}"
    if "e" in text:
        return numbers.plain(value, 2)
    return numbers.grouped(text)
