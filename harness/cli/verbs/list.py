"""`joulemark list`: what there is to run, to run it with, and to judge it by."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import OneOf

if TYPE_CHECKING:
    from harness.cli.documents import ListDocument, PluginItem
    from harness.cli.page import Page

KINDS = (
    "workloads",
    "submissions",
    "meters",
    "launchers",
    "rulesets",
    "checks",
    "prizes",
    "pages",
    "formats",
)


def _show_overview(document: "ListDocument", page: "Page") -> None:
    rows = []
    for kind in document.kinds:
        items = [item for item in document.plugins if item.kind == kind]
        names = ", ".join(item.name for item in items if not item.error)
        broken = ", ".join(item.name for item in items if item.error)
        rows.append((kind, len(items), names, broken))
    page.table(("kind", "count", "names", "broken"), rows, right=("count",))
    page.line()
    page.line("details: joulemark list KIND")


def _state(item: "PluginItem") -> str:
    if item.error:
        return "broken"
    return {True: "ok", False: "missing", None: ""}[item.available]


def _note(item: "PluginItem") -> str:
    reason = item.error or item.reason
    return f"{reason}; {item.advice}" if item.advice and reason else reason


def _show_kind(kind: str, items: "Sequence[PluginItem]", page: "Page") -> None:
    from harness.cli.listing import COLUMNS

    names = COLUMNS.get(kind, ())
    noted = any(_state(item) for item in items)
    columns = ("name", *names, "title", *(("state", "note") if noted else ()))
    rows = [
        (
            item.name,
            *(item.facts.get(name) for name in names),
            item.title,
            *((_state(item), _note(item)) if noted else ()),
        )
        for item in items
    ]
    page.table(columns, rows, right=("target", "spread", "budget_s", "seeds_count"))
    local = [item for item in items if item.facts.get("data")]
    if local:
        page.line("\ndata to be fetched, then packed by `joulemark data prepare NAME FOLDER`:")
    for item in local:
        page.line(f"{item.name}: {item.facts['data']}")


def _show(document: "ListDocument", page: "Page") -> None:
    if len(document.kinds) > 1:
        _show_overview(document, page)
    elif document.plugins:
        _show_kind(document.kinds[0], document.plugins, page)
    else:
        page.line(f"there are no {document.kinds[0]}")


@click.command("list")
@click.argument("kind", type=OneOf("kind", KINDS), required=False)
@answers
def COMMAND(kind: str | None) -> Answer:  # noqa: N802 - the name by which verbs are found
    """What there is: workloads, submissions, meters, launchers, rulesets and more.

    Without a KIND, an overview. Plug-ins that do not load are listed with their error.
    """
    from harness.cli.documents import ListDocument
    from harness.cli.listing import items_of

    kinds = (kind,) if kind else KINDS
    found = tuple(item for element in kinds for item in items_of(element))
    document = ListDocument(kinds=kinds, plugins=found)
    return Answer(document, lambda page: _show(document, page))
