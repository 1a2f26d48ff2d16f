from harness.records import Figure
from harness.report.charts.whisker import WIDTH, shared_scale, whisker
from tests.report.markup import read


def figure(value: float, low: float | None, high: float | None) -> Figure:
    return Figure(value=value, low=low, high=high, n=3, level=0.95)


def test_a_column_shares_one_scale() -> None:
    scale = shared_scale([figure(10, 8, 12), None, figure(1000, 900, None)])
    assert scale is not None
    assert 5 < scale(8) < scale(10) < scale(900) < scale(1000) < WIDTH - 5


def test_no_figure_no_scale_and_no_drawing() -> None:
    assert shared_scale([None, None]) is None
    assert whisker(None, None, "energy") == ""
    assert whisker(figure(0.0, None, None), None, "energy") == ""


def ends(drawn: str) -> list[str]:
    return [each.values["d"] for each in read(drawn).all("path")]


def test_an_open_upper_end_runs_to_the_edge_without_a_tick() -> None:
    scale = shared_scale([figure(10, 8, None), figure(100, 90, 110)])
    closed, open_ended = (
        ends(str(whisker(figure(10, 8, high), scale, "speed"))) for high in (12, None)
    )
    assert len(closed) == 3
    assert len(open_ended) == 2
    assert f"L{WIDTH - 5:g} " in open_ended[0]


def test_a_single_run_is_a_dot_without_length() -> None:
    scale = shared_scale([figure(10, None, None)])
    (line,) = ends(str(whisker(figure(10, None, None), scale, "speed")))
    start, end = line.removeprefix("M").split("L")
    assert start == end
