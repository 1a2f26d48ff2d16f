import itertools
import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.report.charts.svg import (
    Axes,
    Drawing,
    Scale,
    log_ticks,
    padded,
    px,
    shortened,
    text_width,
    tick_texts,
    ticks,
)
from tests.report.markup import read

reals = st.floats(-1e9, 1e9, allow_nan=False)
positive = st.floats(1e-6, 1e9)


@given(reals)
def test_coordinates_are_short_and_plain(value: float) -> None:
    assert re.fullmatch(r"-?\d+(\.\d)?", px(value))
    assert abs(float(px(value)) - value) <= 0.0501
    assert px(value) != "-0"


@given(reals, st.floats(1e-3, 1e9))
def test_linear_ticks_lie_on_the_scale_and_are_evenly_spaced(low: float, span: float) -> None:
    high = low + span
    assume(span > abs(low) * 1e-9)
    values = ticks(low, high)
    assert 1 <= len(values) <= 7
    assert all(low - span * 1e-6 <= tick <= high + span * 1e-6 for tick in values)
    steps = {round((b - a) / span, 6) for a, b in itertools.pairwise(values)}
    assert len(steps) <= 1


@given(positive, st.floats(1.05, 1e6))
def test_logarithmic_ticks_lie_on_the_scale(low: float, ratio: float) -> None:
    high = low * ratio
    values = log_ticks(low, high)
    assert values == sorted(values)
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in values)


@given(st.lists(positive, min_size=1, max_size=6), st.booleans())
def test_padding_leaves_air_on_both_sides(values: list[float], log: bool) -> None:
    low, high = padded(values, log=log)
    assert low < min(values) <= max(values) < high
    assert not log or low > 0


@given(positive, st.floats(1.01, 1e5), st.booleans())
def test_a_scale_keeps_order_and_clamps_other_values(low: float, ratio: float, log: bool) -> None:
    scale = Scale(low, low * ratio, 10.0, 110.0, log=log)
    inside = [low * ratio**part for part in (0.0, 0.3, 0.8, 1.0)]
    at = [scale(value) for value in inside]
    assert at == sorted(at)
    assert at[0] == pytest.approx(10.0)
    assert at[-1] == pytest.approx(110.0)
    assert scale(low / 10) == pytest.approx(10.0)
    assert scale(low * ratio * 10) == pytest.approx(110.0)


@given(st.text(), st.text())
def test_any_title_leaves_the_drawing_well_formed(title: str, label: str) -> None:
    drawing = Drawing(100, 50)
    drawing.rectangle((0, 0), (5, 5), "box", label)
    drawing.circle((1, 1), 2, "dot", label)
    drawing.text((3, 3), label)
    markup = read(str(drawing.markup("c", title, label)))
    assert markup.faults == []
    assert [
        element.tag for element in markup.elements if element.tag in ("script", "b", "img")
    ] == []


def test_a_drawing_names_itself_to_those_who_do_not_see_it() -> None:
    markup = read(str(Drawing(10, 10).markup("c", "Power", "what it shows")))
    (svg,) = markup.all("svg")
    assert svg.values["role"] == "img"
    assert svg.values["aria-labelledby"].split() == ["c-t", "c-d"] == markup.ids
    assert "what it shows" in markup.text


def test_steps_keep_their_height_until_the_next_point() -> None:
    drawing = Drawing(10, 10)
    drawing.steps([(0, 1), (4, 2)], "line")
    assert drawing.pieces == ['<path class="line" d="M0 1L4 1L4 2"/>']


def test_nothing_is_drawn_of_no_points() -> None:
    drawing = Drawing(10, 10)
    drawing.line([], "line")
    drawing.area([], [], "band")
    assert drawing.pieces == []


def test_axes_label_their_ends() -> None:
    drawing = Drawing(200, 100)
    axes = Axes(Scale(0, 10, 20, 190), Scale(0, 1, 80, 10))
    axes.draw(drawing, "seconds", "accuracy")
    text = read("".join(drawing.pieces)).text
    assert "seconds" in text
    assert "accuracy" in text
    assert axes.points([(0, 0)]) == [(20, 80)]


@given(st.floats(-1e7, 1e7), st.floats(1e-3, 1e7))
def test_tick_texts_are_readable(low: float, span: float) -> None:
    scale = Scale(low, low + span, 0, 1)
    assert all("e" not in text for text in tick_texts(scale.ticks(), scale))
    assert tick_texts([math.ulp(0.0)], Scale(0, 1, 0, 1)) == ["0"]


@pytest.mark.parametrize(
    ("values", "log", "texts"),
    [
        ((0.975, 0.95, 0.925), False, ["0.975", "0.950", "0.925"]),
        ((-1.0, -0.75, 0.0), False, ["−1.00", "−0.75", "0"]),
        ((1.0, 2.0), False, ["1", "2"]),
        ((0.5, 1.0, 10.0), True, ["0.5", "1", "10"]),
        ((0.0, 12_500.0), False, ["0", "12\u202f500"]),
    ],
)
def test_numbers_of_a_linear_scale_have_equally_many_decimals(
    values: tuple[float, ...], log: bool, texts: list[str]
) -> None:
    scale = Scale(min(values), max(values), 0.0, 100.0, log=log)
    assert tick_texts(values, scale) == texts


@given(st.floats(-300, 290), st.floats(1, 600))
def test_a_logarithmic_scale_is_never_crowded(low: float, decades: float) -> None:
    high = min(low + decades, 305.0)
    assume(high > low + 0.5)
    values = log_ticks(10.0**low, 10.0**high)
    assert 1 <= len(values) <= 9
    assert values == sorted(values)


@given(st.text(max_size=80), st.integers(3, 40))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    values = shortened(text, width)
    if text_width(text) <= width:
        assert values == text
    else:
        assert values.endswith("…")
        assert text.startswith(values[:-1])
        assert text_width(values[:-1]) <= width


def test_capitals_and_full_width_letters_take_more_room() -> None:
    assert text_width("iii") < text_width("WWW") < text_width("\u7535\u7535\u7535")


def test_a_tick_far_below_the_greatest_is_no_zero_on_a_logarithmic_scale() -> None:
    assert tick_texts([1e-9], Scale(1e-9, 1e9, 0.0, 1.0, log=True)) != ["0"]
    assert tick_texts([1e-9], Scale(-1e9, 1e9, 0.0, 1.0)) == ["0"]
