"""The page about the site: what it shows and what it was made from."""

from collections.abc import Iterator

from harness.report.site import Page, Site


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    yield "about.html", site.page("about.html", "About", "about.html", {})


PAGE = Page(name="about", title="About", order=900, publish=_publish, landing="about.html")
