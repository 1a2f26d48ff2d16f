from pathlib import Path

from tests.report.markup import pages_of


def test_it_explains_the_site_and_links_to_the_methods(site: Path) -> None:
    page = pages_of(site)["about.html"]
    assert "missing, never zero" in page.words
    assert {"methods.html", "methods.html#rulesets"} <= set(page.links)


def test_it_names_the_rules_in_force(site: Path) -> None:
    assert "Rules in force: Smoke." in pages_of(site)["about.html"].words


def test_it_is_short(site: Path) -> None:
    assert len(pages_of(site)["about.html"].words) < 2500
