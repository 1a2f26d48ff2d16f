"""A ruleset on disk: every constant is of its type, and its TOML gives the same rules again."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import FORMAT, ImportedRules, RecordError, Ruleset, dump, load
from harness.rules.load import as_toml, load_ruleset

TREE: dict[str, Any] = json.loads(dump(load_ruleset("default")))
PARTS = ("run", "evaluation", "score", "measure")
CONSTANTS = [(part, key) for part in PARTS for key in TREE[part]]


def with_constant(part: str, key: str, value: Any) -> dict[str, Any]:
    return TREE | {part: TREE[part] | {key: value}}


@pytest.mark.parametrize(("part", "key"), CONSTANTS)
@pytest.mark.parametrize("value", [{}, "no such word", float("nan"), float("inf")], ids=repr)
def test_no_constant_takes_a_value_of_another_kind(part: str, key: str, value: Any) -> None:
    with pytest.raises(RecordError, match=rf"^rules/x\.toml: .*{part}\.{key}"):
        load(Ruleset, with_constant(part, key, value), "rules/x.toml")


@pytest.mark.parametrize("part", PARTS)
def test_a_misspelt_constant_is_refused_and_not_ignored(part: str) -> None:
    with pytest.raises(RecordError, match=rf"{part}\.budget_ration: Extra inputs"):
        load(Ruleset, with_constant(part, "budget_ration", 1.0), "file")


@pytest.mark.parametrize("key", ["name", "title"])
def test_a_ruleset_has_a_name_and_a_title(key: str) -> None:
    with pytest.raises(RecordError, match=f"{key}: Field required"):
        load(Ruleset, {name: item for name, item in TREE.items() if name != key}, "file")


@given(st.floats(0, 1e6), st.integers(1, 10**9), st.none() | st.floats(1e-3, 1e6), st.booleans())
def test_any_constants_read_back_from_json_and_toml(
    ratio: float, count: int, budget_s: float | None, declared: bool
) -> None:
    changes = {"budget_ratio": ratio, "seeds_count": count, "budget_s": budget_s}
    tree = TREE | {
        "run": TREE["run"] | changes,
        "score": TREE["score"] | {"declared_seeds": declared},
    }
    rules = load(Ruleset, tree, "file")
    assert load(Ruleset, dump(rules), "file") == rules
    assert load(Ruleset, tomllib.loads(as_toml(rules)), "file") == rules


def test_rules_of_imported_records_name_their_format() -> None:
    with pytest.raises(RecordError, match=r"imported\.source_format: Field required"):
        load(Ruleset, TREE | {"imported": {}}, "file")
    rules = load(Ruleset, TREE | {"imported": {"source_format": "f"}}, "file")
    assert rules.imported == ImportedRules(source_format="f")


def test_the_format_is_a_number_and_written() -> None:
    assert TREE["format"] == FORMAT
    with pytest.raises(RecordError, match="format"):
        load(Ruleset, TREE | {"format": str(FORMAT)}, "file")
