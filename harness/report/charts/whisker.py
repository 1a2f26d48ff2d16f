"""A figure and its interval on a scale that all rows of a table share."""

from collections.abc import Sequence

from markupsafe import Markup

from harness.records import Figure
from harness.report.charts.svg import Scale, padded, px

WIDTH, HEIGHT = 132.0, 20.0
EDGE = 5.0


def shared_scale(figures: Sequence[Figure | None]) -> Scale | None:
    """Return the logarithmic scale of a column; None where nothing can be drawn."""
    ends = [
        end
        for figure in figures
        if figure is not None
        for end in (figure.value, figure.low, figure.high)
        if end is not None and end > 0
    ]
    if not ends:
        return None
    return Scale(*padded(ends, log=True), EDGE, WIDTH - EDGE, log=True)


def whisker(figure: Figure | None, scale: Scale | None, style: str) -> Markup:
    """Draw the plot of one cell; it is decorative, since the numbers are next to it."""
    if figure is None or scale is None or figure.value <= 0:
        return Markup()
    middle = HEIGHT / 2
    low, high = _ends(figure, scale)
    path = f"M{px(low)} {px(middle)}H{px(high)}" if high > low else ""
    for end, known in ((low, figure.low), (high, figure.high)):
        if known is not None:
            path += f"M{px(end)} {px(middle - 4)}V{px(middle + 4)}"
    line = f'<path d="{path}"/>' if path else ""
    dot = f'<circle cx="{px(scale(figure.value))}" cy="{px(middle)}" r="3.6"/>'
    return Markup(  # noqa: S704 - numbers and names of our own classes
        f'<svg class="whisker-plot {style}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" aria-hidden="true">'
        f"{line}{dot}</svg>"
    )


def _ends(figure: Figure, scale: Scale) -> tuple[float, float]:
    """Return the ends of the whisker; an open end reaches the edge, no interval has no length."""
    if figure.low is None and figure.high is None:
        return scale(figure.value), scale(figure.value)
    low = scale(figure.low) if figure.low is not None and figure.low > 0 else EDGE
    high = scale(figure.high) if figure.high is not None else WIDTH - EDGE
    return low, high
