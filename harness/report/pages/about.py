"""The page about the site: what it shows and what it was made from."""

from harness.report.site import single_page

PAGE = single_page("about", "About", 900, lambda _: {})
