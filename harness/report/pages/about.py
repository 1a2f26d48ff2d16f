"""The method: how numbers come about, the rules in force, and what this site was made from."""

from collections.abc import Iterator

from harness.report.page import Page
from harness.report.site import Site
from harness.rules.load import as_toml


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    rules = [(ruleset, as_toml(ruleset)) for ruleset in site.rulesets]
    yield "about.html", site.page("about.html", "Method", "about.html", rules=rules)


PAGE = Page(name="about", title="Method", order=900, publish=_publish, landing="about.html")
