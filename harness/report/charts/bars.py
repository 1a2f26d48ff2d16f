"""Joules by domain and segment as stacked bars."""

from markupsafe import Markup

from harness.report import numbers
from harness.report.breakdown import Breakdown
from harness.report.charts.svg import Drawing

WIDTH = 920.0
LEFT, RIGHT = 150.0, 908.0
ROW, BAR = 30.0, 18.0
COLOURS = 6
NAME_LENGTH = 20


def style_of(told: Breakdown, index: int) -> str:
    """Colour of a segment; what is not scored is grey."""
    if not told.segments[index].scored:
        return "segment unscored"
    return f"segment p{sum(segment.scored for segment in told.segments[:index]) % COLOURS}"


def _bar(onto: Drawing, told: Breakdown, name: str, place: tuple[float, float]) -> None:
    y, scale = place
    x = LEFT
    short = name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…"
    onto.text((LEFT - 10, y + BAR - 5), short, "label end")
    for index, joules in enumerate(told.joules[name]):
        if joules is None:
            continue
        right = x + joules * scale
        words = f"{told.segments[index].name}: {numbers.quantity(joules, 'J')} of {name}"
        onto.rectangle((x, y), (right, y + BAR), style_of(told, index), words)
        x = right
    onto.text((x + 6, y + BAR - 5), numbers.quantity((x - LEFT) / scale, "J"), "label")


def bars_chart(told: Breakdown, ident: str) -> Markup | None:
    """One bar a domain, all on one scale; None where no joules are known."""
    sums = {name: sum(part or 0.0 for part in parts) for name, parts in told.joules.items()}
    if max(sums.values(), default=0.0) <= 0:
        return None
    scale = (RIGHT - LEFT - 70) / max(sums.values())
    drawing = Drawing(WIDTH, ROW * len(sums) + 8)
    for number, name in enumerate(sums):
        _bar(drawing, told, name, (6 + ROW * number, scale))
    told_parts = "; ".join(f"{name} {numbers.quantity(value, 'J')}" for name, value in sums.items())
    return drawing.markup(ident, "Joules by domain and phase", f"{told_parts}. The table follows.")
