"""An energy bridge as a waterfall: from one entry's energy, factor by factor, to another's."""

from markupsafe import Markup

from harness.report import numbers
from harness.report.charts.svg import Drawing, Scale, cut
from harness.score.bridge import LABELS, Bridge

WIDTH = 720.0
LEFT, RIGHT = 170.0, 620.0
ROW, BAR = 28.0, 18.0
NAME_LENGTH = 24
NO_CHANGE = 5e-4
"""Changes below this share of the largest level are shown as none."""


def _row(drawing: Drawing, name: str, y: float) -> None:
    drawing.text((LEFT - 12, y + BAR - 5), cut(name, NAME_LENGTH), "label end")


def _total(drawing: Drawing, scale: Scale, name: str, joules: float, y: float) -> None:
    _row(drawing, name, y)
    drawing.rectangle((LEFT, y), (scale(joules), y + BAR), "change whole")
    drawing.text((scale(joules) + 8, y + BAR - 5), numbers.quantity(joules, "J"), "label")


def change_text(joules: float, largest_j: float) -> str:
    """Format a change of energy with its sign."""
    if abs(joules) < NO_CHANGE * largest_j:
        return "no change"
    return f"{'+' if joules > 0 else ''}{numbers.quantity(joules, 'J')}"


def waterfall_chart(bridge: Bridge, names: tuple[str, str], ident: str) -> Markup:
    """Draw a bridge; `names` are those of the entry before and of the entry after."""
    levels = [bridge.before_j]
    for bar in bridge.bars:
        levels.append(levels[-1] + bar.energy_j)
    scale = Scale(0.0, max(levels) * 1.02, LEFT, RIGHT)
    drawing = Drawing(WIDTH, ROW * (len(bridge.bars) + 2) + 6)
    _total(drawing, scale, names[0], bridge.before_j, 4)
    for number, bar in enumerate(bridge.bars):
        y = 4 + ROW * (number + 1)
        _row(drawing, LABELS[bar.factor], y)
        start, end = scale(levels[number]), scale(levels[number + 1])
        style = "change more" if bar.energy_j > 0 else "change less"
        drawing.rectangle((start, y), (end, y + BAR), style)
        text = change_text(bar.energy_j, max(levels))
        drawing.text((max(start, end) + 8, y + BAR - 5), text, "label")
    _total(drawing, scale, names[1], bridge.after_j, 4 + ROW * (len(bridge.bars) + 1))
    return drawing.markup(
        ident, f"From {names[0]} to {names[1]}", f"{bridge.text(numbers.percent)}."
    )
