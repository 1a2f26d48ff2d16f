"""The page of the catalogue: every row of the list with its status and the entries that use it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.report.catalogue import CatalogueRow, catalogue_file, read_catalogue
from harness.report.entries import Entry
from harness.report.site import Page, Site

BADGES = {"listed": "plain", "method": "good", "out-of-scope": "warn"}


def users_of(rows: Sequence[CatalogueRow], entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Entries by the methods that their submissions name; runs are read only where it matters."""
    found: dict[str, list[Entry]] = {row.id: [] for row in rows if row.status == "method"}
    for entry in entries if found else ():
        shown = entry.opened().shown_run
        for method in shown.run.submission.methods if shown and shown.run else ():
            found.setdefault(method, []).append(entry)
    return found


def _rows() -> tuple[CatalogueRow, ...]:
    path = catalogue_file()
    return read_catalogue(path) if path else ()


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    rows = _rows()
    path = "catalogue.html"
    yield (
        path,
        site.page(
            path,
            "Catalogue",
            "catalogue.html",
            rows=rows,
            counts=Counter(row.status for row in rows),
            users=users_of(rows, site.entries),
            styles=BADGES,
        ),
    )


PAGE = Page(
    name="catalogue", title="Catalogue", order=45, publish=_publish, landing="catalogue.html"
)
