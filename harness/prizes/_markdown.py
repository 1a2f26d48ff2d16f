"""The award record as Markdown that an organizer can publish."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.prizes._board import ANY_MACHINE
from harness.records import Award
from harness.score.stats.comparison import TEST_NAMES

HEADINGS = {
    "awarded": "awarded to {winner}",
    "tied": "tied: no entry is significantly better than all others",
    "unopposed": "unopposed: one entry has a place",
    "not_awarded": "not awarded",
}


def plain(text: object) -> str:
    """Text of a competitor as one line that cannot become markup or a link."""
    if isinstance(text, Markup):
        return text
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{char}" if char in "\\`*_[]|#" else char for char in line)


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.6g}"


@cache
def _environment() -> Environment:
    """Templates in which every value is escaped by `plain`."""
    # Escaping is that of Markdown, by `finalize`; a value of type Markup is already escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - Markdown, escaped by `plain`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=plain,
    )
    environment.globals.update(TEST_NAMES=TEST_NAMES, end=_end)
    return environment


def markdown(award: Award) -> str:
    """The whole record as Markdown; the same award gives the same text."""
    # Values of type Markup are not escaped again; they contain no text of a competitor as it is.
    values: dict[str, Any] = {
        "heading": Markup(HEADINGS[award.outcome].format(winner=plain(award.winner))),  # noqa: S704 - plain text
        "award": award,
        "machines": award.board.machine == ANY_MACHINE,
        "rules_text": Markup(award.rules_text.replace("```", "'''").rstrip()),  # noqa: S704 - plain text
    }
    return _environment().get_template("award.md.jinja").render(values)
