from collections.abc import Sequence

import pytest

from harness.records import Figure, Standing
from harness.report.breakdown import breakdown_of
from harness.report.charts.bars import (
    BARS_LEFT,
    BRIDGE_LEFT,
    PLOT_WIDTH,
    RANKS_MAX,
    bars_chart,
    rank_chart,
    shared_scale,
    style_of,
    waterfall_chart,
    whisker,
)
from harness.report.entries import EntryRun
from harness.report.traces import trace_of
from harness.score.bridge import Bar, Bridge
from tests.report.made import Made
from tests.report.markup import read


def test_boxes_are_as_wide_as_their_joules(made: Made) -> None:
    score = next(s for s in made.scores if s.entry.submission == "cnn-adamw")
    entry_run = EntryRun(score.runs[0], made.results / score.runs[0].bundle)
    breakdown = breakdown_of(entry_run, trace_of(entry_run))
    assert breakdown is not None
    chart = read(str(bars_chart(breakdown, "b")))
    boxes = [
        (float(r.values["x"]), float(r.values["width"]), r.values["class"])
        for r in chart.all("rect")
    ]
    count = len(breakdown.segments)
    assert len(boxes) == count * len(breakdown.joules)
    for number, parts in enumerate(breakdown.joules.values()):
        row = boxes[number * count : (number + 1) * count]
        assert row[0][0] == BARS_LEFT
        ratios = [width / joules for (_, width, _), joules in zip(row, parts, strict=True)
                  if joules and width > 5]  # fmt: skip
        assert max(ratios) / min(ratios) < 1.05
        assert [style for _, _, style in row] == [style_of(breakdown, i) for i in range(count)]


def test_nothing_known_nothing_drawn(made: Made) -> None:
    score = next(s for s in made.scores if s.entry.submission == "cnn-adamw")
    entry_run = EntryRun(score.runs[0], made.results / score.runs[0].bundle)
    breakdown = breakdown_of(entry_run, trace_of(entry_run))
    assert breakdown is not None
    empty = breakdown._replace(
        joules={name: (None,) * len(breakdown.segments) for name in breakdown.joules}
    )
    assert bars_chart(empty, "b") is None


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
    assert len(chart.all("circle")) == RANKS_MAX


BARS = (Bar("steps", 1, 2, 60.0), Bar("step_s", 2, 1, -30.0), Bar("watts", 1, 1, 0.0))
BRIDGE = Bridge(100.0, 130.0, BARS)


def test_bars_join_end_to_end() -> None:
    chart = read(str(waterfall_chart(BRIDGE, ("A", "B"), "w")))
    boxes = [
        (float(r.values["x"]), float(r.values["x"]) + float(r.values["width"]), r.values["class"])
        for r in chart.all("rect")
    ]
    assert [style for _, _, style in boxes] == [
        "change whole", "change more", "change less", "change less", "change whole",
    ]  # fmt: skip
    assert boxes[0][0] == boxes[-1][0] == BRIDGE_LEFT
    assert boxes[1][0] == pytest.approx(boxes[0][1], abs=0.2)
    assert boxes[2][1] == pytest.approx(boxes[1][1], abs=0.2)
    assert boxes[-1][1] == pytest.approx(boxes[2][0], abs=0.2)


def test_changes_carry_their_sign() -> None:
    text = read(str(waterfall_chart(BRIDGE, ("A", "B"), "w"))).text.replace("\u202f", " ")
    assert "+60.0 J" in text
    assert "\N{MINUS SIGN}30.0 J" in text
    assert "no change" in text


def figure(value: float, low: float | None, high: float | None) -> Figure:
    return Figure(value=value, low=low, high=high, n=3, level=0.95)


def test_a_column_shares_one_scale() -> None:
    scale = shared_scale([figure(10, 8, 12), None, figure(1000, 900, None)])
    assert scale is not None
    assert 5 < scale(8) < scale(10) < scale(900) < scale(1000) < PLOT_WIDTH - 5


def test_no_figure_no_scale_and_no_drawing() -> None:
    assert shared_scale([None, None]) is None
    assert whisker(None, None, "energy") == ""
    assert whisker(figure(0.0, None, None), None, "energy") == ""


def path(drawn: str) -> str:
    (line,) = read(drawn).all("path")
    return line.values["d"]


def test_an_open_upper_end_runs_to_the_edge_without_a_tick() -> None:
    scale = shared_scale([figure(10, 8, None), figure(100, 90, 110)])
    closed, open_ended = (
        path(str(whisker(figure(10, 8, high), scale, "speed"))) for high in (12, None)
    )
    assert closed.count("V") == 2
    assert open_ended.count("V") == 1
    assert f"H{PLOT_WIDTH - 5:g}" in open_ended


def test_a_single_run_is_a_dot_without_a_line() -> None:
    scale = shared_scale([figure(10, None, None)])
    page = read(str(whisker(figure(10, None, None), scale, "speed")))
    assert page.all("path") == []
    assert len(page.all("circle")) == 1
