"""Reads rulesets: TOML files with `extends`, and overrides by dotted key."""

import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from harness.registry import UnknownPlugin, find, sources

Tree = dict[str, Any]


class RulesetError(JouleMarkError, ValueError):
    """A ruleset that cannot be used; the message names the file, the key and what is wrong."""


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        result[key] = _merge(old, value) if nested and old is not None else value
    return result


def _resolve(path: Path, seen: tuple[Path, ...] = ()) -> Tree:
    """Parse a file, merged into the ruleset that it extends."""
    if path in seen:
        chain = " -> ".join(file.stem for file in (*seen, path))
        raise RulesetError(f"{path}: extends itself ({chain})")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesetError(f"{path}: not valid TOML: {error}") from error
    parent = tree.get("extends")
    if parent is None:
        return tree
    neighbour = path.parent / f"{parent}.toml"
    base = neighbour if neighbour.exists() else find("rulesets", parent).value
    return _merge(_resolve(base, (*seen, path)), tree)


def rulesets_for(format_name: str) -> tuple[str, ...]:
    """Names of the rulesets that score imported records of a format, sorted."""
    names = []
    for source in sources("rulesets"):
        # A ruleset that does not load is reported where it is used.
        with suppress(RulesetError, UnknownPlugin, OSError):
            tree = _resolve(source.path) if source.path else {}
            if tree.get("imported", {}).get("source_format") == format_name:
                names.append(source.name)
    return tuple(sorted(names))


def _value(text: str) -> Any:
    """The value of an override: a TOML value, or else a text."""
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
"""Tables of a ruleset, and the record that defines the keys of each."""


def _section_of(tree: Tree, name: str) -> str:
    """The section of a constant that is named without one; empty if it is ambiguous."""
    matches = [section for section, kind in SECTIONS.items() if name in kind.model_fields]
    others = [section for section in matches if section != "imported"]
    # A ruleset without checks is only for imported records; one with checks may be for both.
    if "imported" in matches and "imported" in tree and not (others and tree.get("checks")):
        return "imported"
    return others[0] if len(others) == 1 else ""


def _override(tree: Tree, assignment: str) -> Tree:
    key, separator, text = assignment.partition("=")
    section, dot, name = key.strip().partition(".")
    if separator and section and not dot:
        section, dot, name = _section_of(tree, section), ".", section
    if not (separator and dot and name and section):
        raise RulesetError(f"--set {assignment}: write SECTION.KEY=VALUE, as run.seeds_count=5")
    return _merge(tree, {section: {name: _value(text.strip())}})


def load_ruleset(name: str, overrides: Iterable[str] = ()) -> Ruleset:
    """Load a ruleset by name or from a TOML file, resolve it, and apply overrides.

    Raises:
        UnknownPlugin: no ruleset has that name.
        RulesetError: a file or an override is not valid.
    """
    path = Path(name) if name.endswith(".toml") else find("rulesets", name).value
    if not path.exists():
        raise RulesetError(f"{path}: no such ruleset file")
    tree = _resolve(path)
    assignments = list(overrides)
    for assignment in assignments:
        tree = _override(tree, assignment)
    if assignments:
        pairs = (assignment.partition("=") for assignment in assignments)
        tree["overrides"] = {key.strip(): text.strip() for key, _, text in pairs}
    tree["name"] = path.stem
    try:
        return load(Ruleset, tree, path)
    except RecordError as error:
        raise RulesetError(str(error)) from error


def as_toml(ruleset: Ruleset) -> str:
    """The resolved ruleset as TOML text for a bundle; `read_resolved` reads it back unchanged."""
    tree = ruleset.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps({key: value for key, value in tree.items() if value != {}})


@lru_cache(maxsize=256)
def _parse_resolved(text: str) -> Ruleset:
    # Cached, since thousands of bundles contain the same few rulesets, and records are frozen.
    return load(Ruleset, without_retired_keys(tomllib.loads(text)), "ruleset")


def read_resolved(text: str, where: Path | str) -> Ruleset:
    """Read the text that `as_toml` wrote.

    Raises:
        RulesetError: the text is not a ruleset.
    """
    try:
        return _parse_resolved(text)
    except (RecordError, ValueError, RecursionError) as error:
        raise RulesetError(f"{where}: {error}") from error
