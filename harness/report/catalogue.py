"""The catalogue of training methods: the rows of a published list, each with what is here of it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.registry import sources

FILE = "catalog.toml"
Status = Literal["listed", "method", "out-of-scope"]


class CatalogueError(ValueError):
    """A catalogue that cannot be read: the message names file, key and fault."""


class CatalogueRow(BaseModel):
    """One paper of the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """What submissions name in `methods`."""
    section: str
    year: int | None = None
    """None where the list tells none."""
    venue: str = ""
    title: str = ""
    links: dict[str, Annotated[str, Field(pattern=r"^https?://")]] = {}
    """Address by what it leads to, as `paper` or `code`."""
    status: Status
    proof: str = Field(min_length=1)
    """Where to see it, or why there is nothing to see."""


def catalogue_file() -> Path | None:
    """The catalogue beside the built-in workloads, found without importing them."""
    for source in sources("workloads"):
        if source.origin == "built-in" and source.path is not None:
            path = source.path.parent.parent / FILE
            return path if path.is_file() else None
    return None


def _repeated(ids: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for item in ids:
        if item in seen:
            yield item
        seen.add(item)


def read_catalogue(path: Path) -> tuple[CatalogueRow, ...]:
    """All rows, in the order of the list.

    Raises:
        CatalogueError: the file is no catalogue, or an id stands twice.
        OSError: it cannot be read.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(CatalogueRow.model_validate(item) for item in tree.get("row", []))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise CatalogueError(
            f"{path.name}: {' '.join(str(error).split())}; mend the row"
        ) from error
    for twice in _repeated([row.id for row in rows]):
        raise CatalogueError(
            f"{path.name}: id '{twice}' stands twice; give each row an id of its own"
        )
    return rows
