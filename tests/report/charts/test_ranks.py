from collections.abc import Sequence

from harness.records import Standing
from harness.report.charts.ranks import ROWS_MAX, rank_chart
from tests.report.made import Made
from tests.report.markup import read


def titles(standings: Sequence[Standing]) -> list[str]:
    return [row.entry.title for row in standings]


def test_every_ranked_entry_has_its_bar(made: Made) -> None:
    board = next(b for b in made.boards if b.workload == "digits-cnn" and b.prize == "speed")
    chart = read(str(rank_chart(board.standings, titles(board.standings), "speed", "r")))
    bars = [item for item in chart.all("path") if item.values["class"] == "rank-bar"]
    assert len(bars) == len(chart.all("circle")) == len(board.standings)
    assert "range 3 to 4" in chart.text


def test_a_single_rank_needs_no_drawing(made: Made) -> None:
    board = next(b for b in made.boards if b.standings)
    assert rank_chart(board.standings[:1], ["only"], "speed", "r") is None


def test_only_the_first_ones_are_drawn(made: Made) -> None:
    row = next(b for b in made.boards if b.standings).standings[0]
    many = [row.model_copy(update={"rank": rank, "rank_high": rank}) for rank in range(1, 501)]
    chart = read(str(rank_chart(many, titles(many), "speed", "r")))
    assert len(chart.all("circle")) == ROWS_MAX
