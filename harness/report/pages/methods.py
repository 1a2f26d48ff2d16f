"""The methods: formulas, tests, meters, checks, rulesets and targets, out of the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import harness
from harness.api import WorkloadSpec
from harness.measure.energy import Energy
from harness.registry import Plugin, discover, sources
from harness.report import coverage, rulebook
from harness.report.docstrings import (
    Told,
    fields_of,
    keyword_of,
    marked,
    told_by,
    told_functions,
    told_in,
)
from harness.report.site import Page, Site
from harness.score.calibration import Calibration, committed_record, target_by_rule

HARNESS = Path(harness.__file__).parent

SECTIONS = {
    "cost": ("score.stats", "score.costs", "score.cost", "score.group"),
    "tests": (
        "score.contrast",
        "score.reference",
        "score.rank",
        "score.resample",
        "score.compare",
        "score.confirm",
    ),
    "across": ("score.multi.aggregate", "score.multi.profile", "score.tuning"),
    "bridge": ("score.bridge",),
    "joules": (
        "measure.trace",
        "measure.counter",
        "measure.updates",
        "measure.power",
        "measure.window",
        "measure.grade",
        "measure.baseline",
    ),
    "otherwise": ("score.integration",),
}
"""By section of the page: the modules of the harness whose own words it prints."""

WAYS = (("an energy counter", "measure.counter"), ("power readings", "measure.power"))
"""How joules are told, and the module whose `measure` tells them."""

METHODS = ("counter", "sampled", "modelled", "declared")


class ModuleView(NamedTuple):
    """A module of the harness in its own words."""

    told: Told
    functions: list[Told]
    """Those that say more than what they give."""


class TermView(NamedTuple):
    """One term of the uncertainty of joules."""

    name: str
    expressions: tuple[str, ...]
    """As computed for each of `WAYS`."""


class MeterView(NamedTuple):
    """A meter plug-in, read without importing it."""

    name: str
    told: Told
    methods: tuple[str, ...]
    """How its joules may come about."""


class TargetView(NamedTuple):
    """Where a workload's target comes from."""

    spec: WorkloadSpec
    record: Calibration | None


def _path(module: str) -> Path:
    """Where a module of the harness lies."""
    return HARNESS.joinpath(*module.split(".")).with_suffix(".py")


def terms_of() -> list[TermView]:
    """The terms of the uncertainty, each as the code computes it."""
    ways = [keyword_of(_path(module), "measure", "terms") for _, module in WAYS]
    names = dict.fromkeys(name for way in ways for name in way)
    return [TermView(name, tuple(way.get(name, "") for way in ways)) for name in names]


def explained(section: str) -> list[ModuleView]:
    """The modules of a section, each with the functions that say how they compute."""
    return [
        ModuleView(told_in(f"harness.{name}", path), told_functions(f"harness.{name}", path))
        for name in SECTIONS[section]
        for path in [_path(name)]
        if path.is_file()
    ]


def _methods_in(path: Path) -> tuple[str, ...]:
    """Methods that a meter's source names as values; its docstrings do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return tuple(method for method in METHODS if method in found)


def meters_of() -> list[MeterView]:
    """Every meter whose source lies in a file."""
    return [
        MeterView(source.name, told_in(source.name, source.path), _methods_in(source.path))
        for source in sources("meters")
        if source.path is not None
    ]


def targets_of() -> list[TargetView]:
    """The project's own workloads with their calibration; loading one loads no torch.

    One that does not load is left to `joulemark list workloads`, which says why.
    """
    specs = [
        cast("WorkloadSpec", each.value)
        for each in discover("workloads")
        if isinstance(each, Plugin) and each.source.origin == "built-in"
    ]
    return [
        TargetView(each, committed_record(each.name))
        for each in sorted(specs, key=lambda each: each.name)
    ]


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    rules, broken_rules = rulebook.rulesets_of(site.rulesets)
    checks, broken_checks = rulebook.checks_of()
    simulated = coverage.committed_coverage()
    yield (
        "methods.html",
        site.page(
            "methods.html",
            "Methods",
            "methods.html",
            modules={section: explained(section) for section in SECTIONS},
            energy=fields_of(Energy, told_only=True),
            ways=[name for name, _ in WAYS],
            terms=terms_of(),
            coverage=simulated,
            headings=coverage.HEADINGS,
            coverage_rows=[coverage.cells(row) for row in simulated.rows],
            meters=meters_of(),
            verdicts=rulebook.audit_verdicts(),
            checks=checks,
            rules=rules,
            checks_text=rulebook.checks_text,
            constants=rulebook.constants_of(rules),
            broken=[*broken_rules, *broken_checks],
            target_rule=told_by(target_by_rule),
            targets=targets_of(),
            marked=marked,
        ),
    )


PAGE = Page(name="methods", title="Methods", order=890, publish=_publish, landing="methods.html")
