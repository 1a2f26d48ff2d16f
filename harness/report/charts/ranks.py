"""Which ranks the data allow each entry."""

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


def _x(rank: float, count: int) -> float:
    return LEFT + (RIGHT - LEFT) * ((rank - 1) / (count - 1) if count > 1 else 0.5)


def _grid(onto: Drawing, count: int, base: float) -> None:
    step = max(1, round(count / 10))
    for rank in range(1, count + 1, step):
        x = _x(rank, count)
        onto.line([(x, TOP - 8), (x, base)], "grid")
        onto.text((x, TOP - 14), str(rank), "tick middle")


def _row(onto: Drawing, row: Standing, y: float, count: int) -> None:
    name = row.entry.title or row.entry.submission
    onto.text((LEFT - 14, y + 4), shortened(name, NAME_LENGTH), "label end")
    onto.line([(_x(row.rank_low, count), y), (_x(row.rank_high, count), y)], "rank-bar")
    words = f"{name}: rank {row.rank}, the data allow {row.rank_low} to {row.rank_high}"
    onto.circle((_x(row.rank, count), y), 4.2, "point measured", words)


def rank_chart(standings: Sequence[Standing], prize: str, ident: str) -> Markup | None:
    """The intervals of the first ranks; None where fewer than two entries are ranked."""
    if len(standings) < 2:  # noqa: PLR2004 - a single rank is certain
        return None
    shown = sorted(standings, key=lambda row: row.rank)[:ROWS_MAX]
    count = len(standings)
    drawing = Drawing(WIDTH, TOP + ROW * len(shown) + 6)
    _grid(drawing, count, TOP + ROW * len(shown))
    for number, row in enumerate(shown):
        _row(drawing, row, TOP + ROW * (number + 0.5), count)
    drawing.text((4, TOP - 14), f"rank by {prize}", "axis-name")
    told = "; ".join(f"{row.entry.title}: {row.rank_low} to {row.rank_high}" for row in shown)
    return drawing.markup(ident, f"Ranks by {prize} that the data allow", f"{told}.")
