"""The catalogue holds every row of the list, and what submissions name is in it."""

import tomllib
from collections import Counter
from pathlib import Path

from harness.registry import Plugin, discover
from harness.report.pages.catalogue import CatalogueRow, catalogue_file, read_catalogue

TITLES = (Path(__file__).parent / "titles_of_the_list.txt").read_text(encoding="utf-8").split("\n")
"""Titles of the list "Awesome Efficient Training", one a line; one row of it has none."""
SECTIONS = {
    "quantization": 52, "pruning": 18, "others": 15, "asic": 37, "fpga": 20, "pim": 5, "snn": 1,
}  # fmt: skip


def rows() -> tuple[CatalogueRow, ...]:
    path = catalogue_file()
    assert path is not None
    return read_catalogue(path)


def methods_of_submissions() -> dict[str, set[str]]:
    """Methods that the listed submissions name, by submission."""
    result = {}
    for item in discover("submissions"):
        assert isinstance(item, Plugin)
        tree = tomllib.loads((item.value / "submission.toml").read_text(encoding="utf-8"))
        result[item.name] = set(tree.get("methods", ()))
    return result


def test_every_row_of_the_list_is_there_in_its_order() -> None:
    assert [row.title for row in rows()] == TITLES[:-1]
    assert Counter(row.section for row in rows()) == SECTIONS
    assert sum(SECTIONS.values()) == 148


def test_rows_with_a_title_have_a_year_and_a_venue() -> None:
    bare = [row.id for row in rows() if not (row.title and row.venue and row.year)]
    assert bare == ["empty-row"]
    assert {row.year for row in rows() if row.year} <= set(range(2014, 2022))


def test_submissions_name_methods_that_exist() -> None:
    known = {row.id for row in rows()}
    for name, methods in methods_of_submissions().items():
        assert methods <= known, name


def test_a_row_is_a_method_when_and_only_when_a_submission_names_it() -> None:
    used = set().union(*methods_of_submissions().values())
    assert {row.id for row in rows() if row.status == "method"} == used


def test_the_proof_of_a_method_names_a_submission_that_uses_it() -> None:
    methods = methods_of_submissions()
    for row in rows():
        if row.status == "method":
            assert any(name in row.proof for name, used in methods.items() if row.id in used)
