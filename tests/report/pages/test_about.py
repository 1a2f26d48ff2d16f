from pathlib import Path

from harness.rules.load import as_toml, load_ruleset
from tests.report.markup import pages_of


def test_the_rules_in_force_are_printed_whole(site: Path) -> None:
    words = pages_of(site)["about.html"].words
    assert " ".join(as_toml(load_ruleset("smoke")).split()) in words


def test_the_formulas_are_there(site: Path) -> None:
    words = pages_of(site)["about.html"].words
    assert "interval = exp" in words
    assert "over disjoint domains" in words
    assert "missing, never zero" in words
