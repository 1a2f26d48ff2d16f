"""Reads rulesets: TOML, `extends`, and overrides by dotted key."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import tomli_w

from harness.errors import JouleMarkError
from harness.records import (
    AcrossRules,
    EvaluationRules,
    ImportedRules,
    MeasureRules,
    Record,
    RecordError,
    Ruleset,
    RunRules,
    ScoreRules,
    load,
)
from harness.records.ruleset import without_retired_keys
from harness.registry import find, sources

Tree = dict[str, Any]


class RulesetError(JouleMarkError, ValueError):
    """A ruleset that cannot be used: the message names file, key and fault."""


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        result[key] = _merged(old, value) if nested and old is not None else value
    return result


def _parse(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesetError(f"{path}: not valid TOML: {error}") from error


def _built_in(name: str) -> Path:
    """The file of a ruleset that the registry knows.

    Raises:
        UnknownPlugin: there is none of that name.
    """
    return cast("Path", find("rulesets", name).value)


def _resolve(path: Path, seen: tuple[Path, ...]) -> Tree:
    """The tree of a file laid over the tree that it extends."""
    if path in seen:
        raise RulesetError(
            f"{path}: extends itself by way of {' -> '.join(item.stem for item in seen)}"
        )
    tree = _parse(path)
    parent = tree.get("extends")
    if parent is None:
        return tree
    beside = path.parent / f"{parent}.toml"
    base = beside if beside.exists() else _built_in(parent)
    return _merged(_resolve(base, (*seen, path)), tree)


def rulesets_for(format_name: str) -> tuple[str, ...]:
    """Names of rulesets that score imported records of a format, sorted.

    They are found by their text: none of them is loaded.
    """
    said = f'source_format = "{format_name}"'
    direct = []
    derived = {}
    for source in sources("rulesets"):
        text = source.path.read_text(encoding="utf-8") if source.path else ""
        if said in text:
            direct.append(source.name)
        elif text.startswith("extends = "):
            derived[source.name] = text.split('"')[1]
    while grown := [name for name, base in derived.items() if base in direct]:
        direct += grown
        for name in grown:
            del derived[name]
    return tuple(sorted(direct))


def _value(text: str) -> Any:
    """An override's value as TOML reads it; what TOML cannot read is taken as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


SECTIONS: dict[str, type[Record]] = {
    "run": RunRules,
    "evaluation": EvaluationRules,
    "score": ScoreRules,
    "measure": MeasureRules,
    "imported": ImportedRules,
    "across": AcrossRules,
}
"""Tables of a ruleset, and the record that says what may stand in each."""


def _section_of(tree: Tree, name: str) -> str:
    """The section of a constant that is named without one; empty where that is not clear."""
    having = [section for section, kind in SECTIONS.items() if name in kind.model_fields]
    others = [section for section in having if section != "imported"]
    # Rules without checks are for imported records alone; others may be for bundles and for both.
    if "imported" in having and "imported" in tree and not (others and tree.get("checks")):
        return "imported"
    return others[0] if len(others) == 1 else ""


def _override(tree: Tree, assignment: str) -> Tree:
    key, separator, text = assignment.partition("=")
    section, dot, name = key.strip().partition(".")
    if separator and section and not dot:
        section, dot, name = _section_of(tree, section), ".", section
    if not (separator and dot and name and section):
        raise RulesetError(f"--set {assignment}: write SECTION.KEY=VALUE, as run.seeds_count=5")
    return _merged(tree, {section: {name: _value(text.strip())}})


def load_ruleset(name: str, overrides: Iterable[str] = ()) -> Ruleset:
    """The ruleset of that name, or in that TOML file, resolved, with overrides applied.

    Raises:
        UnknownPlugin: no ruleset has that name.
        RulesetError: a file or an override is not valid.
    """
    path = Path(name) if name.endswith(".toml") else _built_in(name)
    if not path.exists():
        raise RulesetError(f"{path}: no such ruleset file")
    tree = _resolve(path, ())
    given = list(overrides)
    for assignment in given:
        tree = _override(tree, assignment)
    if given:
        pairs = (item.partition("=") for item in given)
        tree["overrides"] = {key.strip(): text.strip() for key, _, text in pairs}
    tree["name"] = path.stem
    try:
        return load(Ruleset, tree, path)
    except RecordError as error:
        raise RulesetError(str(error)) from error


def as_toml(ruleset: Ruleset) -> str:
    """The resolved ruleset as TOML text, for the bundle; `load_ruleset` reads it back the same."""
    tree = ruleset.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps({key: value for key, value in tree.items() if value != {}})


@lru_cache(maxsize=256)
def _of_text(text: str) -> Ruleset:
    # Thousands of bundles carry the same few rulesets, and records are frozen.
    return load(Ruleset, without_retired_keys(tomllib.loads(text)), "ruleset")


def read_resolved(text: str, where: Path | str) -> Ruleset:
    """The ruleset that `as_toml` wrote.

    Raises:
        RulesetError: it is not one.
    """
    try:
        return _of_text(text)
    except (RecordError, ValueError, RecursionError) as error:
        raise RulesetError(f"{where}: {error}") from error
