import pytest

from harness.report.charts.waterfall import LEFT, waterfall_chart
from harness.score.bridge import Bar, Bridge
from tests.report.markup import read

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
    assert boxes[0][0] == boxes[-1][0] == LEFT
    assert boxes[1][0] == pytest.approx(boxes[0][1], abs=0.2)
    assert boxes[2][1] == pytest.approx(boxes[1][1], abs=0.2)
    assert boxes[-1][1] == pytest.approx(boxes[2][0], abs=0.2)


def test_changes_carry_their_sign() -> None:
    text = read(str(waterfall_chart(BRIDGE, ("A", "B"), "w"))).text.replace("\u202f", " ")
    assert "+60.0 J" in text
    assert "\N{MINUS SIGN}30.0 J" in text
    assert "no change" in text
