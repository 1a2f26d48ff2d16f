"""An energy bridge as a waterfall: from one entry's joules, factor by factor, to another's."""

from markupsafe import Markup

from harness.report import numbers
from harness.report.bridge import LABELS, Bridge, sentence
from harness.report.charts.svg import GREATEST, Drawing, Scale

WIDTH = 720.0
LEFT, RIGHT = 170.0, 620.0
ROW, BAR = 28.0, 18.0
NAME_LENGTH = 24
NOTHING = 5e-4
"""Part of the whole below which a change is called none."""


def _named(onto: Drawing, name: str, y: float) -> None:
    short = name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…"
    onto.text((LEFT - 12, y + BAR - 5), short, "label end")


def _change_text(joules: float, whole_j: float) -> str:
    if abs(joules) < NOTHING * whole_j:
        return "no change"
    return f"{'+' if joules > 0 else ''}{numbers.quantity(joules, 'J')}"


def waterfall_chart(found: Bridge, names: tuple[str, str], ident: str) -> Markup:
    """The drawing; `names` are those of the entry before and of the entry after."""
    levels = [found.before_j]
    for bar in found.bars:
        levels.append(levels[-1] + bar.energy_j)
    scale = Scale(0.0, min(max(levels) * 1.02, GREATEST), LEFT, RIGHT)
    drawing = Drawing(WIDTH, ROW * (len(found.bars) + 2) + 6)
    _total(drawing, scale, (names[0], found.before_j), 4)
    for number, bar in enumerate(found.bars):
        y = 4 + ROW * (number + 1)
        _named(drawing, LABELS[bar.factor], y)
        start, end = scale(levels[number]), scale(levels[number + 1])
        style = "change more" if bar.energy_j > 0 else "change less"
        drawing.rectangle((start, y), (end, y + BAR), style)
        drawing.text(
            (max(start, end) + 8, y + BAR - 5), _change_text(bar.energy_j, max(levels)), "label"
        )
    _total(drawing, scale, (names[1], found.after_j), 4 + ROW * (len(found.bars) + 1))
    return drawing.markup(ident, f"From {names[0]} to {names[1]}", f"{sentence(found)}.")


def _total(onto: Drawing, scale: Scale, named: tuple[str, float], y: float) -> None:
    name, joules = named
    _named(onto, name, y)
    onto.rectangle((LEFT, y), (scale(joules), y + BAR), "change whole")
    onto.text((scale(joules) + 8, y + BAR - 5), numbers.quantity(joules, "J"), "label")
