"""Rank ranges of entries."""

from collections.abc import Sequence

from markupsafe import Markup

from harness.records import Standing
from harness.report.charts.svg import Drawing, shortened

WIDTH = 560.0
LEFT, RIGHT, TOP = 190.0, 540.0, 34.0
ROW = 20.0
ROWS_MAX = 30
NAME_LENGTH = 23
"""In average letters."""


def rank_chart(
    standings: Sequence[Standing], names: Sequence[str], prize: str, ident: str
) -> Markup | None:
    """Draw the rank ranges of the first entries; None where fewer than two are ranked.

    Args:
        standings: the ranked entries.
        names: their names, in the same order.
        prize: what they are ranked by.
        ident: an id that is unique on the page.
    """
    count = len(standings)
    if count < 2:  # noqa: PLR2004 - a single rank is certain
        return None
    pairs = sorted(zip(standings, names, strict=True), key=lambda pair: pair[0].rank)[:ROWS_MAX]
    base = TOP + ROW * len(pairs)

    def x(rank: int) -> float:
        return LEFT + (RIGHT - LEFT) * (rank - 1) / (count - 1)

    drawing = Drawing(WIDTH, base + 6)
    for rank in range(1, count + 1, max(1, round(count / 10))):
        drawing.line([(x(rank), TOP - 8), (x(rank), base)], "grid")
        drawing.text((x(rank), TOP - 14), str(rank), "tick middle")
    for number, (row, name) in enumerate(pairs):
        y = TOP + ROW * (number + 0.5)
        drawing.text((LEFT - 14, y + 4), shortened(name, NAME_LENGTH), "label end")
        drawing.line([(x(row.rank_low), y), (x(row.rank_high), y)], "rank-bar")
        text = f"{name}: rank {row.rank}, range {row.rank_low} to {row.rank_high}"
        drawing.circle((x(row.rank), y), 4.2, "point measured", text)
    drawing.text((4, TOP - 14), f"rank by {prize}", "axis-name")
    summary = "; ".join(f"{name}: {row.rank_low} to {row.rank_high}" for row, name in pairs)
    return drawing.markup(ident, f"Rank ranges by {prize}", f"{summary}.")
