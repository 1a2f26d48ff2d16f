import math

import pytest

from harness.records import Figure
from harness.report.charts.steps import (
    COLOURS,
    HistoryMark,
    history_chart,
    profile_chart,
    steps_of,
    time_text,
)
from tests.report.markup import read


def mark(at_s: float | None, value: float, *, noise: bool = False) -> HistoryMark:
    figure = Figure(value=value, low=value * 0.9, high=value * 1.1, n=3, level=0.95)
    return HistoryMark(at_s, figure, noise, f"at {value:g}")


def test_every_step_has_a_dot_and_its_interval() -> None:
    marks = [mark(0, 100), mark(3600, 50, noise=True), mark(9e5, 20)]
    chart = read(str(history_chart(marks, "s", "c")))
    styles = [item.values["class"] for item in chart.all("circle")]
    assert styles == ["point measured", "point hollow", "point measured"]
    assert [item.values["class"] for item in chart.all("path")].count("cross measured") == 3
    assert "lowest known, s" in chart.words
    assert "at 50: 50.0" in chart.words


def test_lower_is_better_and_right_is_later() -> None:
    chart = read(str(history_chart([mark(0, 100), mark(60, 50)], "J", "c")))
    first, second = chart.all("circle")
    assert float(first.values["cx"]) < float(second.values["cx"])
    assert float(first.values["cy"]) < float(second.values["cy"])


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [mark(0, 1.0)],
        [mark(0, 2.0), mark(None, 1.0)],
        [
            mark(0, 2.0),
            HistoryMark(
                1,
                Figure(value=0.0, low=None, high=None, n=1, level=0.95),
                noise=False,
                title="zero",
            ),
        ],
    ],
)
def test_nothing_is_drawn_of_what_is_not_known(marks: list[HistoryMark]) -> None:
    assert history_chart(marks, "s", "c") is None


def test_one_moment_and_the_same_cost_still_make_a_chart() -> None:
    assert history_chart([mark(5.0, 2.0), mark(5.0, 2.0)], "s", "c") is not None


def test_a_moment_is_as_fine_as_its_span() -> None:
    assert time_text(0.0, 10 * 86_400) == "1970-01-01"
    assert time_text(90.0, 60) == "01-01 00:01:30"


def test_a_profile_climbs_by_a_part_at_every_ratio_and_ends_at_the_edge() -> None:
    assert steps_of([1.0, 2.0, math.inf, 9.0], 4.0) == [(1.0, 0.25), (2.0, 0.5), (4.0, 0.5)]


@pytest.mark.parametrize("ratios", [[1.0], [math.inf, math.inf], [4.0, 4.0, 1.5]])
def test_profiles_never_fall(ratios: list[float]) -> None:
    corners = steps_of(ratios, 4.0)
    assert corners == sorted(corners)
    assert corners[-1][1] == sum(ratio <= 4.0 for ratio in ratios) / len(ratios)


def test_only_so_many_are_drawn() -> None:
    drawn = profile_chart([(f"c{n}", [1.0 + n, 2.0]) for n in range(9)], 4.0, "p")
    assert drawn is not None
    assert drawn.count('class="power') == COLOURS
    assert "c0: best on 1 of 2" in drawn
    assert profile_chart([], 4.0, "p") is None
