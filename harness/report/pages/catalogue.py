"""The catalogue page: the papers of a published list of methods, and the entries that use them."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.registry import sources
from harness.report.entries import Entry
from harness.report.site import Site, single_page


class CatalogueError(ValueError):
    """A catalogue that cannot be read: the message names file, key and fault."""


class CatalogueRow(BaseModel):
    """One paper of the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """The name that submissions use in `methods`."""
    section: str
    year: int | None = None
    """None where the list has no year."""
    venue: str = ""
    title: str = ""
    links: dict[str, Annotated[str, Field(pattern=r"^https?://")]] = {}
    """Addresses by what they lead to, such as `paper` or `code`."""
    status: Literal["listed", "method", "out-of-scope"]
    proof: str = Field(min_length=1)
    """Where to find it in this project, or the reason there is nothing."""


def catalogue_file() -> Path | None:
    """Return the catalogue next to the built-in workloads, without importing them."""
    for source in sources("workloads"):
        if source.origin == "built-in" and source.path is not None:
            path = source.path.parent.parent / "catalog.toml"
            return path if path.is_file() else None
    return None


def read_catalogue(path: Path) -> tuple[CatalogueRow, ...]:
    """Read all rows, in the order of the list.

    Raises:
        CatalogueError: the file is no catalogue, or an id is used twice.
        OSError: it cannot be read.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(CatalogueRow.model_validate(item) for item in tree.get("row", []))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        text = " ".join(str(error).split())
        raise CatalogueError(f"{path.name}: {text}; fix the row") from error
    name, count = Counter(row.id for row in rows).most_common(1)[0] if rows else ("", 0)
    if count > 1:
        raise CatalogueError(f"{path.name}: id '{name}' is used twice; each row needs its own id")
    return rows


def users_of(rows: Sequence[CatalogueRow], entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries by the methods that their submissions name."""
    users: dict[str, list[Entry]] = {row.id: [] for row in rows if row.status == "method"}
    for entry in entries if users else ():
        run = entry.opened().shown_run
        for method in run.run.submission.methods if run and run.run else ():
            users.setdefault(method, []).append(entry)
    return users


def _values(site: Site) -> Mapping[str, object]:
    path = catalogue_file()
    rows = read_catalogue(path) if path else ()
    return {
        "rows": rows,
        "counts": Counter(row.status for row in rows),
        "users": users_of(rows, site.entries),
        "styles": {"listed": "plain", "method": "good", "out-of-scope": "warn"},
    }


PAGE = single_page("catalogue", "Catalogue", 45, _values)
