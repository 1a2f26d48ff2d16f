"""`joulemark list`: list workloads, submissions, meters, rulesets and other plug-ins."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from pydantic import Field

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.failure import unknown
from harness.cli.printer import Printer
from harness.plugins import Availability
from harness.records.base import Record
from harness.registry import Broken, Plugin, discover
from harness.rules.load import load_ruleset
from harness.run.submission import open_submission
from harness.score.calibration import committed_record

Value = str | int | float | bool | None
Facts = dict[str, Value]

KINDS = (
    "workloads", "submissions", "meters", "launchers", "rulesets", "checks", "prizes", "pages",
    "formats",
)  # fmt: skip

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "workloads": ("domain", "size", "metric", "better", "target", "spread", "budget_s", "secrecy"),
    "submissions": ("workloads", "division", "team"),
    "rulesets": ("seeds_count", "snapshot_rule"),
    "meters": ("origin",),
    "launchers": ("level",),
}
"""Facts that the table of a kind shows, in this order."""

PROBED = ("meters", "launchers")
"""Kinds whose plug-ins may be unavailable on this machine."""


class PluginItem(Record):
    """One plug-in, loaded or broken."""

    kind: str
    """As `workloads` or `meters`."""
    name: str
    title: str
    """One line of description; empty for broken plug-ins."""
    origin: str
    """`built-in`, the plug-in folder, or the distribution that brings it."""
    error: str
    """Why it does not load; empty if it does."""
    available: bool | None
    """For meters and launchers: whether this machine can use it; None for the other kinds."""
    reason: str = ""
    """Why it is available or not."""
    advice: str = ""
    """What would make it available."""
    facts: Facts = Field(default_factory=dict)
    """For workloads: domain, metric, direction, target, budget, secrecy, size; and so on."""


class ListDocument(Document):
    """`joulemark list`."""

    kinds: tuple[str, ...]
    """The requested kinds."""
    plugins: tuple[PluginItem, ...]


def _describe_workload(plugin: Plugin) -> tuple[str, Facts]:
    spec = plugin.value
    unit = f" ({spec.metric.unit})" if spec.metric.unit else ""
    record = committed_record(plugin.name) if plugin.source.origin == "built-in" else None
    facts: Facts = {
        "domain": spec.domain,
        "size": spec.size,
        "metric": f"{spec.metric.name}{unit}",
        "better": spec.metric.better,
        "target": spec.target.value,
        # Standard deviation of the final metric between calibrated runs.
        "spread": float(f"{record.deviation:.2g}") if record else None,
        "budget_s": spec.budget_s,
        "secrecy": spec.secrecy,
    }
    if spec.packed is not None:
        facts["data"] = spec.packed.how
    return spec.title, facts


def _describe_submission(plugin: Plugin) -> tuple[str, Facts]:
    file = open_submission(str(plugin.value)).file
    lists = {"workloads": ", ".join(file.workloads), "methods": ", ".join(file.methods)}
    return file.title, {**lists, "division": file.division, "team": file.team}


def _describe_ruleset(plugin: Plugin) -> tuple[str, Facts]:
    rules = load_ruleset(str(plugin.value))
    run: Facts = {"seeds_count": rules.run.seeds_count, "snapshot_rule": rules.run.snapshot_rule}
    return rules.title, {**run, "extends": rules.extends, "about": rules.about}


def _describe(plugin: Plugin, *names: str) -> tuple[str, Facts]:
    """Return the title, else the first line of the module's docstring, and named attributes."""
    value = plugin.value
    module = sys.modules.get(getattr(value, "__module__", type(value).__module__))
    doc = (module.__doc__ if module else None) or ""
    title = getattr(value, "title", "") or doc.strip().partition("\n")[0].rstrip(".")
    attributes = {name: getattr(value, name, None) for name in names}
    facts: Facts = {k: v for k, v in attributes.items() if isinstance(v, str | int | float | bool)}
    return title if isinstance(title, str) else "", facts


DESCRIBERS: Mapping[str, Callable[[Plugin], tuple[str, Facts]]] = {
    "workloads": _describe_workload,
    "submissions": _describe_submission,
    "rulesets": _describe_ruleset,
    "meters": lambda plugin: _describe(plugin, "origin"),
    "launchers": lambda plugin: _describe(plugin, "level"),
}


def _broken_item(kind: str, broken: Broken) -> PluginItem:
    return PluginItem(
        kind=kind,
        name=broken.name,
        title="",
        origin=broken.source.origin,
        error=broken.error,
        available=False if kind in PROBED else None,
        reason="the plug-in does not load" if kind in PROBED else "",
        advice=f"fix or remove {broken.source.path or broken.source.origin}",
    )


def item_of(kind: str, plugin: Plugin | Broken) -> PluginItem:
    """Describe one plug-in; a plug-in that raises an error is shown as broken."""
    if isinstance(plugin, Broken):
        return _broken_item(kind, plugin)
    try:
        title, facts = DESCRIBERS.get(kind, _describe)(plugin)
        availability: Any = plugin.value.probe() if kind in PROBED else None
        if kind in PROBED and not isinstance(availability, Availability):
            raise TypeError("probe() returned no Availability")  # noqa: TRY301 - shown as its error
        return PluginItem(
            kind=kind,
            name=plugin.name,
            title=title,
            origin=plugin.source.origin,
            error="",
            available=availability.ok if availability else None,
            reason=availability.reason if availability else "",
            advice=availability.advice if availability else "",
            facts=facts,
        )
    except Exception as error:  # noqa: BLE001 - plug-ins may raise anything
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _broken_item(kind, Broken(plugin.name, text, plugin.source))


def items_of(kind: str) -> list[PluginItem]:
    """Describe every plug-in of a kind, including broken ones."""
    return [item_of(kind, plugin) for plugin in discover(kind)]


def _state_cells(item: PluginItem) -> tuple[str, str]:
    state = "broken" if item.error else {True: "ok", False: "missing", None: ""}[item.available]
    reason = item.error or item.reason
    return state, f"{reason}; {item.advice}" if item.advice and reason else reason


def _show_kind(kind: str, items: Sequence[PluginItem], printer: Printer) -> None:
    names = COLUMNS.get(kind, ())
    states = [_state_cells(item) for item in items]
    columns: tuple[str, ...] = ("name", *names, "title")
    rows = [(i.name, *(i.facts.get(name) for name in names), i.title) for i in items]
    if any(state for state, _ in states):
        columns = (*columns, "state", "note")
        rows = [(*row, *cells) for row, cells in zip(rows, states, strict=True)]
    printer.table(columns, rows, right=("target", "spread", "budget_s", "seeds_count"))
    with_data = [item for item in items if item.facts.get("data")]
    if with_data:
        printer.line()
        printer.line("data to download, then to pack with `joulemark data prepare NAME FOLDER`:")
    for item in with_data:
        printer.line(f"{item.name}: {item.facts['data']}")


def _show(document: ListDocument, printer: Printer) -> None:
    if len(document.kinds) > 1:
        rows = []
        for kind in document.kinds:
            items = [item for item in document.plugins if item.kind == kind]
            names = ", ".join(item.name for item in items if not item.error)
            broken = ", ".join(item.name for item in items if item.error)
            rows.append((kind, len(items), names, broken))
        printer.table(("kind", "count", "names", "broken"), rows, right=("count",))
        printer.line()
        printer.line("details: joulemark list KIND")
    elif document.plugins:
        _show_kind(document.kinds[0], document.plugins, printer)
    else:
        printer.line(f"there are no {document.kinds[0]}")


def parse_kind(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Return a kind of plug-in, also from its singular; raises `click.UsageError` for others."""
    for word in (value.lower(), f"{value.lower()}s") if value is not None else ():
        if word in KINDS:
            return word
    if value is not None:
        raise click.UsageError(unknown("kind", value, KINDS), ctx)
    return None


@json_command("list")
@click.argument("kind", required=False, callback=parse_kind, metavar=f"[{'|'.join(KINDS)}]")
def command(kind: str | None) -> CommandResult:
    """List the plug-ins of a KIND; without KIND, an overview of all.

    Plug-ins that do not load are listed with their error.
    """
    kinds = (kind,) if kind else KINDS
    plugins = tuple(item for name in kinds for item in items_of(name))
    document = ListDocument(kinds=kinds, plugins=plugins)
    return CommandResult(document, _show)
