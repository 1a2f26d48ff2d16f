from harness.report.breakdown import breakdown_of
from harness.report.charts.bars import LEFT, bars_chart, style_of
from harness.report.entries import EntryRun
from harness.report.traces import trace_of
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
        assert row[0][0] == LEFT
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
