"""CSV of any table: every cell comes back, and none starts as a formula."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats.csv import FORMULA, write
from harness.formats.format import ExportRequest
from harness.formats.json import write as write_json

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
REALS = st.floats(allow_nan=False, allow_infinity=False)


def request(*findings: dict[str, Any]) -> ExportRequest:
    document = {"scores": [], "leaderboard": [], "findings": list(findings)}
    return ExportRequest(results=Path("results"), scores=lambda: document)


def cells(*findings: dict[str, Any]) -> list[list[str]]:
    text = write(request(*findings)).files["findings.csv"].decode()
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(REALS, min_size=1, max_size=5))
def test_numbers_keep_every_digit(values: list[float]) -> None:
    result = cells(*({"x": value} for value in values))
    assert [float(row[0]) for row in result[1:]] == values


@given(st.lists(NAMES.filter(bool), min_size=1, max_size=4))
def test_text_comes_back_and_no_spreadsheet_runs_it(values: list[str]) -> None:
    result = [row[0] for row in cells(*({"x": item} for item in values))[1:]]
    assert not [item for item in result if item.startswith(FORMULA)]
    for cell, value in zip(result, values, strict=True):
        shown = [c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in value]
        assert cell in ("".join(shown), "'" + "".join(shown))
        assert all(c.isprintable() or c in "\n\t" for c in cell)


@pytest.mark.parametrize("value", ["\x1b[31mred", "bell\a", "\u202egnp.exe", "\u2066x\u2069"])
def test_no_cell_controls_a_terminal_or_turns_text_around(value: str) -> None:
    ((_,), (cell,)) = cells({"x": value})
    assert cell.isprintable()
    assert f"\\u{ord(next(c for c in value if not c.isprintable())):04x}" in cell


def test_a_column_that_is_not_in_one_row_is_empty_there() -> None:
    assert cells({"a": 1, "c": None}, {"b": 0}) == [["a", "c", "b"], ["1", "", ""], ["", "", "0"]]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | REALS | NAMES), max_size=4))
def test_json_comes_back_as_it_was(findings: list[dict[str, Any]]) -> None:
    assert json.loads(write_json(request(*findings)).files["findings.json"]) == findings


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_holds_no_figure_that_is_none(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(request({"x": value}))


def test_a_carriage_return_begins_no_record_of_its_own() -> None:
    assert cells({"x": "mild\r=1+1"}) == [["x"], ["mild\\u000d=1+1"]]
