"""The contract of a page: what a module in `pages/` offers, and what the site offers it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.site import Site


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page plug-in: `PAGE` in `pages/<name>.py`."""

    name: str
    """Stable name, as `board`."""
    title: str
    """What the menu calls it."""
    order: int
    """Position in the menu and among the pages: small ones first."""
    publish: "Callable[[Site], Iterator[tuple[str, str | Path]]]"
    """Site to pairs of relative path and text; `site.page()` makes the text of a whole page. A
    path in place of the text is a file to copy as it is."""
    landing: str = ""
    """Path that the menu leads to; empty for pages that are reached from others only."""
