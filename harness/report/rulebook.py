"""The rulebook: rulesets resolved, constants with their meaning, checks with their rule ids."""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.measure import audit
from harness.records import Ruleset
from harness.registry import Broken, Plugin, discover, sources
from harness.report.docstrings import Told, fields_of, told, told_by
from harness.rules.load import SECTIONS, RulesetError, as_toml, load_ruleset

_ID = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)*)`")
_BYTES = 1024
HOLE = "…"
"""Stands in a message for what only a run can tell."""


class Constant(NamedTuple):
    """One constant of a ruleset."""

    key: str
    """As `--set` takes it, `run.seeds_count`."""
    meaning: str
    default: str
    """Its value where a ruleset says nothing, as TOML; empty: none."""
    others: tuple[tuple[str, tuple[str, ...]], ...]
    """Other values, each with the rulesets that take it."""


class Rules(NamedTuple):
    """One ruleset."""

    ruleset: Ruleset
    text: str
    """The whole of it, resolved, as TOML."""
    changes: tuple[tuple[str, str], ...]
    """Constants that differ from the defaults, with their values."""
    in_force: bool
    """Whether an entry of the site was scored under it."""


class Checked(NamedTuple):
    """A named check of rulesets."""

    name: str
    question: str
    """What it looks for, as its module says."""
    told: Told
    ids: tuple[str, ...]
    """Of the findings that it yields."""


class Verdict(NamedTuple):
    """A finding that the audit of a measurement may make."""

    rule: str
    levels: tuple[str, ...]
    messages: tuple[str, ...]


def shown(value: Any) -> str:
    """A constant as TOML writes it; sizes from a mebibyte on in that unit besides."""
    text = json.dumps(value, ensure_ascii=False)
    big = isinstance(value, int) and not isinstance(value, bool) and value >= _BYTES**2
    return f"{text} ({value / _BYTES**2:g} MiB)" if big else text


def _values(ruleset: Ruleset) -> dict[str, Any]:
    """Every constant by key; None where the ruleset leaves a limit out."""
    tree = ruleset.model_dump(mode="json")
    return {
        f"{section}.{key}": value
        for section in SECTIONS
        for key, value in (tree[section] or {}).items()
    }


def _defaults() -> dict[str, Any]:
    """Constants that no ruleset has said anything of."""
    plain = _values(Ruleset(name="", title=""))
    for section, record in SECTIONS.items():
        for key, field in record.model_fields.items():
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            plain.setdefault(f"{section}.{key}", json.loads(json.dumps(default)))
    return plain


def _loaded() -> tuple[list[Ruleset], list[Broken]]:
    """The rulesets of the registry, and those that do not load, with their errors."""
    found, broken = [], []
    for source in sources("rulesets"):
        try:
            found.append(load_ruleset(str(source.path)))
        except (RulesetError, OSError) as error:
            broken.append(Broken(source.name, " ".join(str(error).split()), source))
    return found, broken


def _changes(ruleset: Ruleset, defaults: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Constants that are not as they are where nobody says anything."""
    return tuple(
        (key, shown(value))
        for key, value in _values(ruleset).items()
        if value is not None and value != defaults.get(key)
    )


def rulesets_of(scored: Sequence[Ruleset]) -> tuple[list[Rules], list[Broken]]:
    """Every ruleset, those in force first, and those that do not load.

    Args:
        scored: the rulesets that entries of the site were scored under.
    """
    defaults = _defaults()
    known, broken = _loaded()
    found = [
        Rules(each, as_toml(each), _changes(each, defaults), each in scored)
        for each in [*known, *(each for each in scored if each not in known)]
    ]
    return sorted(found, key=lambda each: (not each.in_force, each.ruleset.name)), broken


def constants_of(rules: Sequence[Rules]) -> list[Constant]:
    """Every constant with its meaning, its default, and who takes another value."""
    defaults, found = _defaults(), []
    for section, record in SECTIONS.items():
        for name, meaning in fields_of(record).items():
            key = f"{section}.{name}"
            others: dict[str, list[str]] = {}
            for rule in rules:
                for changed, value in rule.changes:
                    if changed == key:
                        others.setdefault(value, []).append(rule.ruleset.name)
            default = "" if defaults[key] is None else shown(defaults[key])
            taken = tuple((value, tuple(names)) for value, names in others.items())
            found.append(Constant(key, meaning, default, taken))
    return found


def checks_text(ruleset: Ruleset, checks: Sequence["Checked"]) -> str:
    """Which of the checks a ruleset applies, in words."""
    if len(ruleset.checks) == len(checks):
        return f"all {len(checks)}"
    return ", ".join(ruleset.checks) or "none: records of another field are scored"


def _question(check: object) -> str:
    module = sys.modules.get(getattr(check, "__module__", ""))
    return told("", getattr(module, "__doc__", None) or "").summary


def checks_of() -> tuple[list[Checked], list[Broken]]:
    """Every named check, and those that did not load."""
    found = discover("checks")
    checks = [
        Checked(
            item.name, _question(item.value), said, tuple(dict.fromkeys(_ID.findall(said.summary)))
        )
        for item in found
        if isinstance(item, Plugin)
        for said in [told_by(item.value)]
    ]
    return checks, [item for item in found if isinstance(item, Broken)]


# --- the audit ------------------------------------------------------------------------------------


def _text(node: ast.expr | None, names: Mapping[str, ast.expr]) -> list[str]:
    """Every text that an expression may come to, with holes for what only a run can tell."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = [_text(value, {}) or [HOLE] for value in node.values]
        return ["".join(part[0] for part in parts)]
    if isinstance(node, ast.IfExp):
        return [*_text(node.body, names), *_text(node.orelse, names)]
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], {})
    return []


def _called(function: ast.FunctionDef, maker: str) -> Iterator[tuple[list[ast.expr], Any]]:
    """Arguments of each call of `maker`, with what names stood for when it was called."""
    names: dict[str, ast.expr] = {}
    nodes = [each for each in ast.walk(function) if isinstance(each, ast.stmt | ast.Call)]
    for node in sorted(nodes, key=lambda each: (each.lineno, each.col_offset)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            names[node.target.id] = node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == maker:
            yield node.args, dict(names)


def verdicts_in(path: Path, maker: str) -> list[Verdict]:
    """Findings that a module may make, by calls of `maker(rule, level, message, advice)`.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is no Python.
    """
    levels: dict[str, list[str]] = {}
    messages: dict[str, list[str]] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for arguments, names in _called(function, maker):
            for rule in _text(arguments[0], names):
                levels.setdefault(rule, []).extend(_text(arguments[1], names))
                messages.setdefault(rule, []).extend(_text(arguments[2], names))
    return [
        Verdict(rule, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(messages[rule])))
        for rule, found in sorted(levels.items())
    ]


def audit_verdicts() -> list[Verdict]:
    """What the audit of a measurement may find."""
    return verdicts_in(Path(audit.__file__), "_finding")
