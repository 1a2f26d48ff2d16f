"""Turns plug-ins into rows: what each kind has to tell, without loading torch."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from harness.cli.documents import PluginItem, Value
from harness.plugins import Availability
from harness.registry import Broken, Plugin, discover

Facts = dict[str, Value]
Describe = Callable[[Plugin], tuple[str, Facts]]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "workloads": ("domain", "size", "metric", "better", "target", "spread", "budget_s", "secrecy"),
    "submissions": ("workloads", "division", "team"),
    "rulesets": ("seeds_count", "snapshot_rule"),
    "meters": ("origin",),
    "launchers": ("level",),
}
"""Facts that the table of a kind shows, in this order."""

PROBED = ("meters", "launchers")
"""Kinds that ask the machine whether they can be used on it."""


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0].rstrip(".")


def _spread(plugin: Plugin) -> float | None:
    """Standard deviation of the final metric between calibrated runs, to two digits."""
    from harness.score.calibration import committed_record

    record = committed_record(plugin.name) if plugin.source.origin == "built-in" else None
    return float(f"{record.deviation:.2g}") if record else None


def _workload(plugin: Plugin) -> tuple[str, Facts]:
    spec = plugin.value
    unit = f" ({spec.metric.unit})" if spec.metric.unit else ""
    facts: Facts = {
        "domain": spec.domain,
        "size": spec.size,
        "metric": f"{spec.metric.name}{unit}",
        "better": spec.metric.better,
        "target": spec.target.value,
        "spread": _spread(plugin),
        "budget_s": spec.budget_s,
        "secrecy": spec.secrecy,
    }
    if spec.packed is not None:
        facts["data"] = spec.packed.how
    return spec.title, facts


def _submission(plugin: Plugin) -> tuple[str, Facts]:
    from harness.run.submission import open_submission

    file = open_submission(str(plugin.value)).file
    facts: Facts = {
        "workloads": ", ".join(file.workloads),
        "division": file.division,
        "team": file.team,
        "methods": ", ".join(file.methods),
    }
    return file.title, facts


def _ruleset(plugin: Plugin) -> tuple[str, Facts]:
    from harness.rules.load import load_ruleset

    rules = load_ruleset(str(plugin.value))
    facts: Facts = {
        "seeds_count": rules.run.seeds_count,
        "snapshot_rule": rules.run.snapshot_rule,
        "extends": rules.extends,
        "about": rules.about,
    }
    return rules.title, facts


def _said_by(plugin: Plugin, *names: str) -> tuple[str, Facts]:
    """Title, or else the first line of the module's documentation, and the named attributes."""
    value = plugin.value
    module = sys.modules.get(getattr(value, "__module__", type(value).__module__))
    title = getattr(value, "title", "") or _first_line(module.__doc__ if module else "")
    facts: Facts = {}
    for name in names:
        said = getattr(value, name, None)
        if isinstance(said, str | int | float | bool):
            facts[name] = said
    return title if isinstance(title, str) else "", facts


DESCRIBERS: Mapping[str, Describe] = {
    "workloads": _workload,
    "submissions": _submission,
    "rulesets": _ruleset,
    "meters": lambda p: _said_by(p, "origin"),
    "launchers": lambda p: _said_by(p, "level"),
}


def _availability(kind: str, plugin: Plugin) -> Availability | None:
    if kind not in PROBED:
        return None
    found: Any = plugin.value.probe()
    if not isinstance(found, Availability):
        raise TypeError("probe() gave no Availability")
    return found


def _broken(kind: str, found: Broken) -> PluginItem:
    return PluginItem(
        kind=kind,
        name=found.name,
        title="",
        origin=found.source.origin,
        error=found.error,
        available=False if kind in PROBED else None,
        reason="the plug-in does not load" if kind in PROBED else "",
        advice=f"mend or remove {found.source.path or found.source.origin}",
    )


def _described(kind: str, found: Plugin) -> PluginItem:
    title, facts = DESCRIBERS.get(kind, _said_by)(found)
    usable = _availability(kind, found)
    return PluginItem(
        kind=kind,
        name=found.name,
        title=title,
        origin=found.source.origin,
        error="",
        available=usable.ok if usable else None,
        reason=usable.reason if usable else "",
        advice=usable.advice if usable else "",
        facts=facts,
    )


def item_of(kind: str, found: Plugin | Broken) -> PluginItem:
    """One plug-in as a row; one that loads and then cannot tell about itself is broken too."""
    if isinstance(found, Broken):
        return _broken(kind, found)
    try:
        return _described(kind, found)
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        text = " ".join(str(error).split())
        return _broken(kind, Broken(found.name, f"{type(error).__name__}: {text}", found.source))


def items_of(kind: str) -> list[PluginItem]:
    """Every plug-in of a kind, broken ones included."""
    return [item_of(kind, found) for found in discover(kind)]
