"""The committed drawing of folders and imports is the one that the code gives."""

from xml.etree import ElementTree as ET

from tests.house.drawing import draw, imports, layers, reduced
from tests.house.sources import ROOT


def test_the_committed_drawing_is_current() -> None:
    drawing = ROOT / "docs" / "architecture.svg"
    assert drawing.read_text(encoding="utf-8") == draw(), (
        "run: python -m tests.house.drawing > docs/architecture.svg"
    )


def test_the_drawing_is_valid_and_always_the_same() -> None:
    text = draw()
    assert text == draw()
    tree = ET.fromstring(text)
    names = {item.text for item in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert names == {name for row in layers() for name in row}


def test_imports_go_down_or_to_a_neighbour() -> None:
    row_of = {name: number for number, row in enumerate(layers()) for name in row}
    up = [
        f"{box} imports {target}"
        for box, targets in imports().items()
        for target in targets
        if row_of[target] < row_of[box] and "workloads" not in (box, target)
    ]
    assert not up


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert reduced(edges) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_circle_is_drawn() -> None:
    edges = {"a": {"b"}, "b": {"a"}}
    assert reduced(edges) == edges
