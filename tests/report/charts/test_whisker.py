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
    assert f"H{WIDTH - 5:g}" in open_ended


def test_a_single_run_is_a_dot_without_a_line() -> None:
    scale = shared_scale([figure(10, None, None)])
    page = read(str(whisker(figure(10, None, None), scale, "speed")))
    assert page.all("path") == []
    assert len(page.all("circle")) == 1
