"""Energy by domain and segment as stacked bars."""

from markupsafe import Markup

from harness.report import numbers
from harness.report.breakdown import Breakdown
from harness.report.charts.svg import Drawing, cut

WIDTH = 920.0
LEFT, RIGHT = 150.0, 908.0
ROW, BAR = 30.0, 18.0
COLOURS = 6
NAME_LENGTH = 20


def style_of(breakdown: Breakdown, index: int) -> str:
    """Return the style class of a segment; segments that are not scored are grey."""
    if not breakdown.segments[index].scored:
        return "segment unscored"
    before = sum(segment.scored for segment in breakdown.segments[:index])
    return f"segment p{before % COLOURS}"


def bars_chart(breakdown: Breakdown, ident: str) -> Markup | None:
    """Draw one bar per domain on one scale; None where no energy is known."""
    totals = {name: sum(joules or 0.0 for joules in row) for name, row in breakdown.joules.items()}
    largest = max(totals.values(), default=0.0)
    if largest <= 0:
        return None
    scale = (RIGHT - LEFT - 70) / largest
    drawing = Drawing(WIDTH, ROW * len(totals) + 8)
    for number, (name, row) in enumerate(breakdown.joules.items()):
        x, y = LEFT, 6 + ROW * number
        drawing.text((LEFT - 10, y + BAR - 5), cut(name, NAME_LENGTH), "label end")
        for index, joules in enumerate(row):
            if joules is None:
                continue
            words = f"{breakdown.segments[index].name}: {numbers.quantity(joules, 'J')} of {name}"
            right = x + joules * scale
            drawing.rectangle((x, y), (right, y + BAR), style_of(breakdown, index), words)
            x = right
        drawing.text((x + 6, y + BAR - 5), numbers.quantity(totals[name], "J"), "label")
    parts = (f"{name} {numbers.quantity(joules, 'J')}" for name, joules in totals.items())
    summary = f"{'; '.join(parts)}. The table follows."
    return drawing.markup(ident, "Energy by domain and phase", summary)
