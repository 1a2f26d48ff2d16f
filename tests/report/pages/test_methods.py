import re
from pathlib import Path

import pytest

from harness.registry import sources
from harness.report.coverage import cells, committed_coverage
from harness.report.docstrings import told_functions
from harness.report.pages.methods import (
    HARNESS,
    SECTIONS,
    WAYS,
    explained,
    meters_of,
    targets_of,
    terms_of,
)
from harness.report.rulebook import checks_of
from harness.rules.load import as_toml, load_ruleset
from tests.report.markup import Markup, pages_of

SOURCED = re.compile(r"\b(1[89]|20)\d\d\b")


@pytest.fixture(scope="module")
def page(site: Path) -> Markup:
    return pages_of(site)["methods.html"]


def flat(text: str) -> str:
    """As it reads on the page, where backticks become a style."""
    return " ".join(text.replace("`", "").split())


def test_every_ruleset_is_printed_whole(page: Markup) -> None:
    for source in sources("rulesets"):
        assert flat(as_toml(load_ruleset(source.name))) in page.words, source.name


def test_rules_in_force_are_marked(site: Path) -> None:
    assert "Smoke smoke in force on this site" in pages_of(site)["methods.html"].words


def test_every_check_stands_with_its_sentence(page: Markup) -> None:
    checks, _ = checks_of()
    assert len(checks) >= 16
    for check in checks:
        assert flat(check.told.summary) in page.words, check.name


def test_the_coverage_is_that_of_the_committed_simulation(page: Markup) -> None:
    found = committed_coverage()
    assert found.command in page.words
    for row in found.rows:
        assert " ".join(cells(row)) in page.words


def test_every_method_of_the_scores_that_cites_a_source_is_there(page: Markup) -> None:
    """A formula may move to another module; it may not leave the page."""
    told = [
        told_function
        for path in sorted((HARNESS / "score").glob("*.py"))
        if path.stem != "student"
        for told_function in told_functions(f"harness.score.{path.stem}", path)
        if SOURCED.search(" ".join((told_function.summary, *told_function.body)))
    ]
    assert len(told) >= 8
    for item in told:
        assert item.name in page.words
        assert flat(item.summary) in page.words


def test_every_section_has_something_to_say() -> None:
    for section, names in SECTIONS.items():
        found = explained(section)
        assert found, section
        assert all(item.told.summary for item in found)
        assert len(found) >= len(names) - 2, section


def test_terms_of_the_uncertainty_are_those_of_the_code(page: Markup) -> None:
    found = {term.name: term.expressions for term in terms_of()}
    assert set(found) == {"quantisation", "edges", "gaps", "aliasing"}
    for expressions in found.values():
        assert len(expressions) == len(WAYS)
        for expression in expressions:
            assert flat(expression) in page.words


def test_meters_state_their_methods(page: Markup) -> None:
    found = {meter.name: meter.methods for meter in meters_of()}
    assert set(found) == {source.name for source in sources("meters")}
    assert found["codecarbon"] == ("modelled",)
    assert found["rapl"] == ("counter",)
    assert found["nvml"] == ("counter", "sampled")
    assert all(found.values())
    assert all(flat(meter.told.summary) in page.words for meter in meters_of())


def test_every_target_has_its_derivation(page: Markup) -> None:
    found = targets_of()
    assert {item.spec.name for item in found} == {source.name for source in sources("workloads")}
    for item in found:
        assert flat(item.spec.target.derivation) in page.words, item.spec.name
    assert sum(item.record is not None for item in found) >= 15


def test_the_contents_lead_to_sections(page: Markup) -> None:
    targets = [link[1:] for link in page.links if link.startswith("#") and link != "#main"]
    assert len(targets) == 13
    assert set(targets) <= set(page.ids)


def test_formulas_are_there(page: Markup) -> None:
    assert "interval = exp" in page.words
    assert "over disjoint domains" in page.words
    assert "missing, never zero" in page.words
