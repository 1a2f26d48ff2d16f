from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from harness.measure import power
from harness.measure.energy import Energy
from harness.records.ruleset import RunRules
from harness.report.docstrings import (
    fields_of,
    keyword_of,
    marked,
    told,
    told_by,
    told_functions,
    told_in,
)

TEXT = """First line of
    two.

    A paragraph with `code`.

    Two points:

    - one that goes
      on
    - another

    Args:
        a: not for the page.

    Returns:
        What comes
        out.

    Raises:
        ValueError: neither.
"""
MODULE = '''"""A module.

Its body.
"""

def plain():
    """Says what, not how."""

def _formula():
    """x = y · 2."""

def sourced():
    """After Student (1908)."""

def bodied():
    """Summary.

    How.
    """
    call(terms={"a": 2 * x, "b": f(y)})
    call(terms=other)
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    return path


def test_a_docstring_taken_apart() -> None:
    found = told("f", TEXT)
    assert found.summary == "First line of two."
    assert found.body == (
        "A paragraph with `code`.",
        "Two points:",
        "- one that goes on",
        "- another",
    )
    assert found.returns == "What comes out."


def test_readers_know_no_none_of_python() -> None:
    assert told("f", "None where nothing is; Nonesuch stays.").summary == (
        "none where nothing is; Nonesuch stays."
    )


def test_nothing_said_is_nothing_told() -> None:
    assert told("f", "") == ("f", "", (), "")
    assert told_by(lambda: None).summary == ""


def test_a_function_says_who_it_is() -> None:
    found = told_by(power.bound_j)
    assert found.name == "harness.measure.power.bound_j"
    assert found.summary.startswith("Least and greatest joules")


def test_a_module_is_read_without_being_run(module: Path) -> None:
    assert told_in("m", module) == ("m", "A module.", ("Its body.",), "")


def test_functions_that_say_how(module: Path) -> None:
    names = [told_function.name for told_function in told_functions("m", module)]
    assert names == ["m._formula", "m.sourced", "m.bodied"]


def test_expressions_under_a_keyword(module: Path) -> None:
    assert keyword_of(module, "bodied", "terms") == {"a": "2 * x", "b": "f(y)"}
    assert keyword_of(module, "plain", "terms") == {}
    assert keyword_of(module, "bodied", "others") == {}


def test_fields_of_records() -> None:
    found = fields_of(RunRules)
    assert list(found) == list(RunRules.model_fields)
    assert found["seeds_count"] == "Runs of a series, each with a seed of its own."
    assert all(fields_of(Energy, told_only=True).values())
    assert "domain" in fields_of(Energy)
    assert fields_of(type("Made", (), {})) == {}


@given(st.text(alphabet="ab`<&> \"'"))
def test_nothing_escapes_from_marked_text(text: str) -> None:
    page = str(marked(text))
    bare = page.replace("<code>", "").replace("</code>", "")
    assert "<" not in bare
    assert ">" not in bare
    assert page.count("<code>") == page.count("</code>") <= text.count("`") // 2
    if "`" not in text:
        assert page == str(escape(text))
