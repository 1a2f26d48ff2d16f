"""The methods page: written formulas with their sources, and tables of rules and targets."""

import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness.api import WorkloadSpec
from harness.records import Ruleset
from harness.registry import Broken, Plugin, discover, sources
from harness.report.site import Site, single_page
from harness.rules.load import SECTIONS, RulesetError, as_toml, load_ruleset
from harness.score.calibration import Calibration, committed_record

COVERAGE_FILE = Path(__file__).parents[1] / "interval_coverage.json"
"""Simulated coverage of the intervals; written by the command that it names."""

COVERAGE_HEADINGS = (
    "costs", "seeds", "median coverage", "least coverage", "on", "narrowest interval",
)  # fmt: skip

MEBIBYTE = 1024**2


class Constant(NamedTuple):
    """One constant of the rulesets."""

    key: str
    """Dotted key, as `--set` takes it: `run.seeds_count`."""
    meaning: str
    default: str
    """TOML; empty where there is no default."""
    others: Mapping[str, Sequence[str]]
    """Other values, each with the names of the rulesets that use it."""


class RulesetView(NamedTuple):
    """One ruleset."""

    ruleset: Ruleset
    text: str
    """The resolved ruleset as TOML."""
    changes: Mapping[str, str]
    """Constants that differ from their defaults, as TOML by key."""
    in_force: bool
    """Whether entries of the site were scored under it."""


class CheckView(NamedTuple):
    """A check: its name, what its module checks, and its docstring: rule ids and explanations."""

    name: str
    question: str
    paragraphs: Sequence[str]


def coverage_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of one row of the coverage table, for the page and for docs/statistics.md."""
    shares = (f"{row['median_ratio']:.1%}", f"{row['least_ratio']:.1%}")
    return (
        row["costs"], str(row["seeds"]), *shares, row["least_on"], f"{row['narrowest_ratio']:.2%}",
    )  # fmt: skip


def constant_text(value: object) -> str:
    """Write a constant as TOML does, sizes of a mebibyte or more with that unit as well."""
    text = json.dumps(value, ensure_ascii=False)
    large = isinstance(value, int) and not isinstance(value, bool) and value >= MEBIBYTE
    return f"{text} ({cast('int', value) / MEBIBYTE:g} MiB)" if large else text


def _constants(ruleset: Ruleset) -> dict[str, Any]:
    """Values of all constants by key; sections that the ruleset does not have are left out."""
    tree = ruleset.model_dump(mode="json")
    return {
        f"{section}.{key}": value
        for section in SECTIONS
        for key, value in (tree[section] or {}).items()
    }


def _defaults() -> dict[str, Any]:
    defaults = _constants(Ruleset(name="", title=""))
    for section, record in SECTIONS.items():
        for key, field in record.model_fields.items():
            value = None if field.is_required() else field.get_default(call_default_factory=True)
            defaults.setdefault(f"{section}.{key}", json.loads(json.dumps(value)))
    return defaults


def rulesets_of(scored: Sequence[Ruleset]) -> tuple[list[RulesetView], list[Broken]]:
    """Return every ruleset, those of `scored` first, and the ones that cannot be loaded."""
    rulesets: list[Ruleset] = []
    broken: list[Broken] = []
    for source in sources("rulesets"):
        try:
            rulesets.append(load_ruleset(str(source.path)))
        except (RulesetError, OSError) as error:
            broken.append(Broken(source.name, " ".join(str(error).split()), source))
    rulesets += [ruleset for ruleset in scored if ruleset not in rulesets]
    defaults = _defaults()
    views = []
    for ruleset in rulesets:
        changes = {
            key: constant_text(value)
            for key, value in _constants(ruleset).items()
            if value is not None and value != defaults.get(key)
        }
        views.append(RulesetView(ruleset, as_toml(ruleset), changes, ruleset in scored))
    return sorted(views, key=lambda view: (not view.in_force, view.ruleset.name)), broken


def constants_of(views: Sequence[RulesetView]) -> list[Constant]:
    """Return every constant with its meaning, its default and the rulesets that change it."""
    defaults, constants = _defaults(), []
    for section, record in SECTIONS.items():
        schema = record.model_json_schema()["properties"]
        for name in record.model_fields:
            key, others = f"{section}.{name}", dict[str, list[str]]()
            for view in views:
                if key in view.changes:
                    others.setdefault(view.changes[key], []).append(view.ruleset.name)
            meaning = " ".join(schema[name].get("description", "").split()).replace("None", "none")
            default = "" if defaults[key] is None else constant_text(defaults[key])
            constants.append(Constant(key, meaning, default, others))
    return constants


def checks_of() -> tuple[list[CheckView], list[Broken]]:
    """Return every check, and the ones that cannot be loaded."""
    views: list[CheckView] = []
    broken: list[Broken] = []
    for plugin in discover("checks"):
        if isinstance(plugin, Broken):
            broken.append(plugin)
            continue
        module = sys.modules.get(getattr(plugin.value, "__module__", ""))
        question = (getattr(module, "__doc__", None) or "").partition("\n\n")[0]
        paragraphs = (inspect.getdoc(plugin.value) or "").split("\n\n")
        views.append(CheckView(plugin.name, question, paragraphs))
    return views, broken


def targets_of() -> list[tuple[WorkloadSpec, Calibration | None]]:
    """Return the project's own workloads with their calibrations, sorted by name."""
    specs: list[WorkloadSpec] = [
        plugin.value
        for plugin in discover("workloads")
        if isinstance(plugin, Plugin) and plugin.source.origin == "built-in"
    ]
    return [(spec, committed_record(spec.name)) for spec in sorted(specs, key=lambda s: s.name)]


def _values(site: Site) -> Mapping[str, object]:
    rulesets, broken_rulesets = rulesets_of(site.rulesets)
    checks, broken_checks = checks_of()
    coverage = json.loads(COVERAGE_FILE.read_bytes())
    return {
        "coverage": coverage,
        "headings": COVERAGE_HEADINGS,
        "coverage_rows": [coverage_cells(row) for row in coverage["rows"]],
        "checks": checks,
        "constants": constants_of(rulesets),
        "rulesets": rulesets,
        "broken": [*broken_rulesets, *broken_checks],
        "targets": targets_of(),
    }


PAGE = single_page("methods", "Methods", 890, _values)
