from hypothesis import given
from hypothesis import strategies as st

from harness.records import Figure
from harness.report.charts.plane import (
    ENERGY,
    TIME,
    Axis,
    Dot,
    dots_of,
    front,
    front_text,
    plane_chart,
    with_probabilities,
)
from harness.report.entries import Boards, entries_of
from tests.report.made import Made
from tests.report.markup import read

costs = st.floats(0.1, 1000)


def dot(x: float, y: float, *, name: str = "n", estimate: bool = False) -> Dot:
    figures = [Figure(value=v, low=v * 0.9, high=None, n=3, level=0.95) for v in (x, y)]
    return Dot(name, figures[0], figures[1], estimate)


@given(st.lists(st.tuples(costs, costs), min_size=1, max_size=12))
def test_the_front_is_what_no_other_dot_beats(pairs: list[tuple[float, float]]) -> None:
    dots = [dot(x, y) for x, y in pairs]
    kept = front(dots, "lower", "lower")
    for item in dots:
        beaten = any(
            o.x.value <= item.x.value
            and o.y.value <= item.y.value
            and (o.x.value, o.y.value) != (item.x.value, item.y.value)
            for o in dots
        )
        inside = any((k.x.value, k.y.value) == (item.x.value, item.y.value) for k in kept)
        assert inside is not beaten


def test_directions_are_data() -> None:
    dots = [dot(1, 0.90), dot(2, 0.95), dot(3, 0.93)]
    assert [d.x.value for d in front(dots, "lower", "higher")] == [1, 2]
    assert [d.x.value for d in front(dots, "lower", "lower")] == [1]


def test_estimates_have_a_front_of_their_own() -> None:
    dots = [dot(1, 10), dot(2, 5), dot(0.5, 1, estimate=True), dot(0.1, 2, estimate=True)]
    chart = read(str(plane_chart(dots, TIME, ENERGY, "c")))
    styles = [item.values["class"] for item in chart.all("path")]
    assert styles.count("front") == 1
    assert styles.count("front modelled") == 1
    points = [item.values["class"] for item in chart.all("circle")]
    assert points.count("point measured") == points.count("point modelled") == 2


def test_one_entry_makes_no_plane() -> None:
    assert plane_chart([dot(1, 1)], TIME, ENERGY, "c") is None


def test_entries_without_joules_are_left_out(made: Made) -> None:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    names = {dot.name for dot in dots_of(entries, against_metric=False)}
    assert "AdamW, no meter" not in names
    assert "Sophia" not in names
    assert {"Muon", "SGD"} <= names
    assert len(dots_of(entries, against_metric=True)) == len(names)


def test_labels_do_not_cover_every_other() -> None:
    dots = [dot(1, 10, name=f"entry {i}") for i in range(9)] + [dot(3, 30)]
    texts = read(str(plane_chart(dots, TIME, Axis("q", "", "higher"), "c"))).all("text")
    places = [(t.values["x"], t.values["y"]) for t in texts if "label" in t.values["class"]]
    assert len(places) == len(set(places))


def test_chances_to_be_on_the_front_are_shown(made: Made) -> None:
    entries = [
        entry
        for entry in entries_of(made.scores, Boards(made.boards), made.results)
        if entry.score.entry.workload == "digits-cnn"
    ]
    dots = with_probabilities(dots_of(entries, against_metric=False), entries)
    chances = {dot.name: dot.p_front for dot in dots}
    # Muon is fastest and takes the fewest joules of the measured; SGD is far behind both ways.
    assert chances["Muon"] is not None
    assert chances["Muon"] > 0.95
    assert chances["SGD"] is not None
    assert chances["SGD"] < 0.01
    words = front_text(dots)
    assert "Muon" in words
    assert "SGD" not in words
    # A simulated meter's joules are on a front of their own, and no chance of it is told.
    assert "fake" not in words
    assert "on the front with" in read(str(plane_chart(dots, TIME, ENERGY, "c"))).text


def test_without_chances_nothing_is_said_of_them() -> None:
    assert front_text([dot(1, 10), dot(2, 5)]) == ""
