"""Charts of horizontal bars: energy by phase, energy bridges, rank ranges, and intervals."""

from collections.abc import Sequence

from markupsafe import Markup

from harness.records import Figure, Standing
from harness.report import numbers
from harness.report.breakdown import Breakdown
from harness.report.charts.svg import Drawing, Scale, cut, ends_of, padded, px, shortened
from harness.score.bridge import LABELS, Bridge

BAR = 18.0
BARS_LEFT, BRIDGE_LEFT = 150.0, 170.0
COLOURS = 6
RANKS_MAX = 30
NO_CHANGE = 5e-4
"""Changes below this share of the largest level are shown as none."""
PLOT_WIDTH, PLOT_HEIGHT, PLOT_EDGE = 132.0, 20.0, 5.0


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
    scale, pitch = (908.0 - BARS_LEFT - 70) / largest, 30.0
    drawing = Drawing(920.0, pitch * len(totals) + 8)
    for number, (name, row) in enumerate(breakdown.joules.items()):
        x, y = BARS_LEFT, 6 + pitch * number
        drawing.text((BARS_LEFT - 10, y + BAR - 5), cut(name, 20), "label end")
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
    rows = [(names[0], "whole", 0.0, bridge.before_j, numbers.quantity(bridge.before_j, "J"))]
    for bar, start, end in zip(bridge.bars, levels, levels[1:], strict=False):
        style = "more" if bar.energy_j > 0 else "less"
        text = change_text(bar.energy_j, max(levels))
        rows.append((LABELS[bar.factor], style, start, end, text))
    rows.append((names[1], "whole", 0.0, bridge.after_j, numbers.quantity(bridge.after_j, "J")))
    scale, pitch = Scale(0.0, max(levels) * 1.02, BRIDGE_LEFT, 620.0), 28.0
    drawing = Drawing(720.0, pitch * len(rows) + 6)
    for number, (name, style, start, end, text) in enumerate(rows):
        y = 4 + pitch * number
        drawing.text((BRIDGE_LEFT - 12, y + BAR - 5), cut(name, 24), "label end")
        drawing.rectangle((scale(start), y), (scale(end), y + BAR), f"change {style}")
        drawing.text((max(scale(start), scale(end)) + 8, y + BAR - 5), text, "label")
    title = f"From {names[0]} to {names[1]}"
    return drawing.markup(ident, title, f"{bridge.text(numbers.percent)}.")


def rank_chart(
    standings: Sequence[Standing], names: Sequence[str], prize: str, ident: str
) -> Markup | None:
    """Draw the rank ranges of the first entries; None where fewer than two are ranked."""
    count = len(standings)
    if count < 2:  # noqa: PLR2004 - a single rank is certain
        return None
    pairs = sorted(zip(standings, names, strict=True), key=lambda pair: pair[0].rank)[:RANKS_MAX]
    left, top, pitch = 190.0, 34.0, 20.0
    base = top + pitch * len(pairs)
    x = Scale(1, count, left, 540.0)
    drawing = Drawing(560.0, base + 6)
    for rank in range(1, count + 1, max(1, round(count / 10))):
        drawing.line([(x(rank), top - 8), (x(rank), base)], "grid")
        drawing.text((x(rank), top - 14), str(rank), "tick middle")
    for number, (row, name) in enumerate(pairs):
        y = top + pitch * (number + 0.5)
        drawing.text((left - 14, y + 4), shortened(name, 23), "label end")
        drawing.line([(x(row.rank_low), y), (x(row.rank_high), y)], "rank-bar")
        text = f"{name}: rank {row.rank}, range {row.rank_low} to {row.rank_high}"
        drawing.circle((x(row.rank), y), 4.2, "point measured", text)
    drawing.text((4, top - 14), f"rank by {prize}", "axis-name")
    summary = "; ".join(f"{name}: {row.rank_low} to {row.rank_high}" for row, name in pairs)
    return drawing.markup(ident, f"Rank ranges by {prize}", f"{summary}.")


def shared_scale(figures: Sequence[Figure | None]) -> Scale | None:
    """Return the logarithmic scale of a column; None where nothing can be drawn."""
    ends = [end for figure in figures if figure for end in ends_of(figure) if end > 0]
    if not ends:
        return None
    return Scale(*padded(ends, log=True), PLOT_EDGE, PLOT_WIDTH - PLOT_EDGE, log=True)


def whisker(figure: Figure | None, scale: Scale | None, style: str) -> Markup:
    """Draw the interval of one cell; it is decorative, since the numbers are next to it.

    An open end reaches the edge; without any end nothing but the value is drawn.
    """
    if figure is None or scale is None or figure.value <= 0:
        return Markup()
    middle, low, high = PLOT_HEIGHT / 2, scale(figure.value), scale(figure.value)
    if figure.low is not None or figure.high is not None:
        low = scale(figure.low) if figure.low is not None and figure.low > 0 else PLOT_EDGE
        high = scale(figure.high) if figure.high is not None else PLOT_WIDTH - PLOT_EDGE
    path = f"M{px(low)} {px(middle)}H{px(high)}" if high > low else ""
    for end, known in ((low, figure.low), (high, figure.high)):
        if known is not None:
            path += f"M{px(end)} {px(middle - 4)}V{px(middle + 4)}"
    line = f'<path d="{path}"/>' if path else ""
    dot = f'<circle cx="{px(scale(figure.value))}" cy="{px(middle)}" r="3.6"/>'
    size = f'viewBox="0 0 {PLOT_WIDTH:g} {PLOT_HEIGHT:g}"'
    return Markup(  # noqa: S704 - numbers and names of our own classes
        f'<svg class="whisker-plot {style}" {size} aria-hidden="true">{line}{dot}</svg>'
    )
