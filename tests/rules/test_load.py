"""Rulesets: inheritance, overrides, the text in the bundle, and what is refused in which words."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.records import Ruleset
from harness.registry import Broken, UnknownPlugin, discover
from harness.rules.load import RulesetError, as_toml, load_ruleset, read_resolved

rulesets = st.builds(
    Ruleset,
    name=st.text(max_size=20),
    title=st.text(max_size=20),
    about=st.text(max_size=40),
    extends=st.none() | st.text(max_size=10),
    overrides=st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3),
    checks=st.lists(st.text(max_size=10), max_size=3).map(tuple),
)


def written(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


@given(rulesets)
def test_the_text_in_the_bundle_reads_back_the_same(ruleset: Ruleset) -> None:
    assert read_resolved(as_toml(ruleset), "bundle") == ruleset


@pytest.mark.parametrize("source", discover("rulesets"), ids=lambda plugin: plugin.name)
def test_every_shipped_ruleset_loads_and_says_what_it_is_for(source: Any) -> None:
    assert not isinstance(source, Broken)
    ruleset = load_ruleset(source.name)
    assert ruleset.name == source.name
    assert ruleset.title
    assert ruleset.about.endswith(".")
    known = {plugin.name for plugin in discover("checks")}
    assert set(ruleset.checks) <= known
    assert read_resolved(as_toml(ruleset), "bundle") == ruleset


def test_contests_have_their_rules() -> None:
    """What organizers and readers of other fields' results name on the command line."""
    assert {item.name for item in discover("rulesets")} >= {
        "smoke", "default", "haet-2021", "haet-energy", "haet-hardware", "haet-cluster",
        "hity-algorithms", "memory-limited", "mlperf-training", "algoperf-v0.5-external",
        "algoperf-v0.5-self", "algoperf-v0.6-external", "algoperf-a100-self", "dawnbench",
        "speedrun",
    }  # fmt: skip
    haet, speedrun = load_ruleset("haet-2021"), load_ruleset("speedrun")
    assert (haet.run.mode, haet.run.budget_s, haet.run.seeds_count) == (
        "quality_at_budget", 600, 5
    )  # fmt: skip
    assert (speedrun.run.snapshots_max, speedrun.score.target_alpha) == (1, 0.01)
    assert load_ruleset("memory-limited").run.memory_bytes_max == 2 << 30
    assert load_ruleset("haet-cluster").score.secrecy == ("seeded", "secret")


def test_the_rules_over_several_workloads() -> None:
    rules = load_ruleset(
        "hity-algorithms", ["across.aggregate=geometric_mean", "cost_ratio_max=8.0"]
    )
    assert rules.across is not None
    assert (rules.across.aggregate, rules.across.cost_ratio_max) == ("geometric_mean", 8.0)
    assert (rules.across.quantity, rules.across.reference) == ("time_to_target_s", "adamw")
    assert rules.across.tuning_included
    assert (rules.score.tuning_trials_max, rules.run.self_tuning_budget_ratio) == (5, 1.5)
    assert rules.overrides == {
        "across.aggregate": "geometric_mean", "cost_ratio_max": "8.0"
    }  # fmt: skip
    assert load_ruleset("default").across is None
    with pytest.raises(RulesetError, match="aggregate"):
        load_ruleset("hity-algorithms", ["across.aggregate=median"])


def test_the_two_rulesets_of_the_house_are_what_they_promise() -> None:
    default, smoke = load_ruleset("default"), load_ruleset("smoke")
    assert (default.run.seeds_count, default.run.snapshot_rule) == (8, "final")
    assert default.score.target_alpha == 0.01
    assert (smoke.run.seeds_count, smoke.run.snapshot_rule) == (3, "first_passing")
    assert smoke.extends == "default"
    assert smoke.checks == default.checks


def test_a_child_changes_only_what_it_names(tmp_path: Path) -> None:
    child = written(tmp_path, "child", 'extends = "smoke"\ntitle = "C"\n[run]\nseeds_count = 5\n')
    smoke, ruleset = load_ruleset("smoke"), load_ruleset(child)
    assert ruleset.run == smoke.run.model_copy(update={"seeds_count": 5})
    assert (ruleset.name, ruleset.title, ruleset.extends) == ("child", "C", "smoke")
    assert (ruleset.score, ruleset.measure, ruleset.checks) == (
        smoke.score,
        smoke.measure,
        smoke.checks,
    )


def test_a_parent_beside_the_file_comes_before_a_shipped_one(tmp_path: Path) -> None:
    written(tmp_path, "smoke", 'title = "mine"\n[run]\nseeds_count = 17\n')
    child = written(tmp_path, "child", 'extends = "smoke"\ntitle = "C"\n')
    assert load_ruleset(child).run.seeds_count == 17


def test_grandparents_count_too(tmp_path: Path) -> None:
    written(tmp_path, "a", 'title = "a"\n[run]\nseeds_count = 4\nidle_s = 1.0\n')
    written(tmp_path, "b", 'extends = "a"\n[run]\nseeds_count = 5\n')
    ruleset = load_ruleset(written(tmp_path, "c", 'extends = "b"\ntitle = "c"\n'))
    assert (ruleset.run.seeds_count, ruleset.run.idle_s) == (5, 1.0)


@pytest.mark.parametrize(
    ("assignment", "section", "key", "value"),
    [
        ("run.seeds_count=5", "run", "seeds_count", 5),
        ("run.budget_ratio=0.5", "run", "budget_ratio", 0.5),
        ("run.snapshot_rule=first_passing", "run", "snapshot_rule", "first_passing"),
        ('run.snapshot_rule="final"', "run", "snapshot_rule", "final"),
        (" score.declared_seeds = true ", "score", "declared_seeds", True),
        ('score.secrecy=["seeded"]', "score", "secrecy", ("seeded",)),
    ],
)
def test_overrides_change_one_constant_and_are_recorded(
    assignment: str, section: str, key: str, value: object
) -> None:
    ruleset = load_ruleset("default", [assignment])
    assert getattr(getattr(ruleset, section), key) == value
    assert list(ruleset.overrides) == [f"{section}.{key}"]
    plain = load_ruleset("default").model_dump()
    changed = ruleset.model_dump()
    assert {k for k in plain if plain[k] != changed[k]} <= {section, "overrides"}


def test_the_last_override_wins() -> None:
    ruleset = load_ruleset("default", ["run.seeds_count=5", "run.seeds_count=6"])
    assert ruleset.run.seeds_count == 6
    assert ruleset.overrides == {"run.seeds_count": "6"}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("run.seeds_count", "SECTION.KEY=VALUE"),
        ("run.=5", "SECTION.KEY=VALUE"),
        ("run.seed_count=5", "run.seed_count"),
        ("run.seeds_count=many", "run.seeds_count"),
        ("runs.seeds_count=5", "runs"),
        ("score.confidence=nan", "score.confidence"),
    ],
)
def test_a_bad_override_is_refused_by_name(assignment: str, said: str) -> None:
    with pytest.raises(RulesetError, match=said):
        load_ruleset("default", [assignment])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "not valid TOML"),
        ('title = "x"\n[run]\nseeds_cuont = 5\n', "run.seeds_cuont"),
        ('title = "x"\n[run]\nseeds_count = "5"\n', "run.seeds_count"),
        ("[run]\nseeds_count = 5\n", "title"),
        ('title = "x"\nextends = "self"\n', "extends itself"),
    ],
)
def test_a_bad_file_is_refused_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RulesetError, match=said) as caught:
        load_ruleset(written(tmp_path, "self", text))
    assert "self.toml" in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(b'title = "\xff"')
    with pytest.raises(RulesetError, match=r"odd\.toml"):
        load_ruleset(str(path))


def test_an_unknown_ruleset_gets_a_suggestion() -> None:
    with pytest.raises(UnknownPlugin, match="did you mean default"):
        load_ruleset("defualt")
    with pytest.raises(RulesetError, match="no such ruleset file"):
        load_ruleset("/nowhere/mine.toml")


@pytest.mark.parametrize("text", ["", "x = 1", "name = 3", "\x00", "name = 'a'\ntitle = 1"])
def test_a_resolved_text_that_is_none_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(RulesetError, match=r"bundle/ruleset\.toml"):
        read_resolved(text, "bundle/ruleset.toml")


def test_the_text_is_toml_that_others_can_read() -> None:
    tree = tomllib.loads(as_toml(load_ruleset("default", ["run.seeds_count=5"])))
    assert tree["run"]["seeds_count"] == 5
    assert tree["overrides"] == {"run.seeds_count": "5"}
    assert json.dumps(tree)


def test_a_constant_with_one_home_needs_no_section() -> None:
    ruleset = load_ruleset("default", ["seeds_count=5"])
    assert ruleset.run.seeds_count == 5
    assert ruleset.overrides == {"seeds_count": "5"}


def test_in_rules_for_imported_records_a_bare_name_means_theirs() -> None:
    ruleset = load_ruleset("algoperf-v0.6-external", ["as_shipped=false", "confidence=0.9"])
    assert ruleset.imported is not None
    assert (ruleset.imported.as_shipped, ruleset.imported.confidence) == (False, 0.9)
    assert ruleset.score.confidence == 0.95


def test_in_rules_for_both_a_bare_name_means_the_bundles() -> None:
    ruleset = load_ruleset("speedrun", ["confidence=0.9", "as_shipped=false"])
    assert ruleset.imported is not None
    assert (ruleset.score.confidence, ruleset.imported.confidence) == (0.9, 0.95)
    assert not ruleset.imported.as_shipped


def test_a_constant_with_two_homes_needs_its_section() -> None:
    with pytest.raises(RulesetError, match=r"SECTION\.KEY=VALUE"):
        load_ruleset("default", ["start_cap_s=5"])


def test_no_claim_of_a_submission_ranks() -> None:
    """`step` of a snapshot and `validation` in a log are what a submission says of itself."""
    with pytest.raises(RulesetError, match="quantity"):
        load_ruleset("hity-algorithms", ["across.quantity=steps_to_target"])
    folder = Path(harness.__file__).parent / "prizes"
    for source in (*folder.glob("*.py"), folder.parent / "score" / "multi" / "table.py"):
        text = source.read_text(encoding="utf-8")
        assert "steps_to_target" not in text, source
