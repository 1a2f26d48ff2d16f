import ast
import re
from pathlib import Path

import pytest

from harness.measure import audit
from harness.registry import PLUGINS_VARIABLE, sources
from harness.report.rulebook import (
    HOLE,
    audit_verdicts,
    checks_of,
    checks_text,
    constants_of,
    rulesets_of,
    shown,
    verdicts_in,
)
from harness.rules.load import SECTIONS, load_ruleset

SOURCE = """
def one(case, bad):
    level = "warn" if case else "fail"
    text = f"{case} is {bad:.2g} off"
    yield told("wrong", level, text, "advice")

def two(case):
    if case:
        text = "first"
    yield told("wrong", "info", text, "")
    yield told("other", "warn", str(case), "")
"""


def test_every_ruleset_is_there_with_what_it_changes() -> None:
    found, broken = rulesets_of([])
    assert broken == []
    assert {item.ruleset.name for item in found} == {source.name for source in sources("rulesets")}
    by_name = {item.ruleset.name: item for item in found}
    assert ("run.seeds_count", "3") in by_name["smoke"].changes
    assert by_name["default"].changes == ()
    assert dict(by_name["haet-energy"].changes)["measure.uncertainty_ratio_max"] == "0.05"
    assert not any(item.in_force for item in found)


def test_those_in_force_come_first_and_once() -> None:
    ours = load_ruleset("smoke")
    other = load_ruleset("smoke", ["run.seeds_count=9"])
    found, _ = rulesets_of([ours, other])
    assert [item.in_force for item in found].count(True) == 2
    assert [item.ruleset for item in found[:2]] == [ours, other]
    assert len(found) == len(sources("rulesets")) + 1


def test_every_constant_has_its_meaning_and_its_other_values() -> None:
    rules, _ = rulesets_of([])
    found = {constant.key: constant for constant in constants_of(rules)}
    fields = [f"{section}.{key}" for section, kind in SECTIONS.items() for key in kind.model_fields]
    assert list(found) == fields
    assert all(item.meaning for item in found.values())
    assert found["run.seeds_count"].default == "8"
    assert ("3", ("smoke",)) in found["run.seeds_count"].others
    assert found["run.budget_s"].default == ""
    for rule in rules:
        for key, value in rule.changes:
            assert any(
                value == other and rule.ruleset.name in names for other, names in found[key].others
            )


def test_sizes_are_readable() -> None:
    assert shown(1 << 31) == "2147483648 (2048 MiB)"
    assert shown(True) == "true"
    assert shown(("a",)) == '["a"]'


def test_a_ruleset_that_does_not_load_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "rulesets" / "torn.toml").write_text("title = 'no")
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    found, broken = rulesets_of([])
    assert [item.name for item in broken] == ["torn"]
    assert "not valid TOML" in broken[0].error
    assert "torn" not in {item.ruleset.name for item in found}


def test_every_check_tells_all_of_its_rule_ids() -> None:
    """What a check's source yields stands in its docstring, from which the page is made."""
    checks, broken = checks_of()
    assert broken == []
    named = {check.name: set(check.ids) for check in checks}
    for source in sources("checks"):
        assert source.path is not None
        made = set(re.findall(r'rule="([a-z0-9-]+)"', source.path.read_text()))
        assert made <= named[source.name], source.name
    assert all(check.ids and check.question.startswith("Whether") for check in checks)


def test_which_checks_a_ruleset_applies() -> None:
    checks, _ = checks_of()
    default = load_ruleset("default")
    assert checks_text(default, checks) == f"all {len(checks)}"
    fewer = default.model_copy(update={"checks": ("memory", "data")})
    assert checks_text(fewer, checks) == "memory, data"
    assert checks_text(load_ruleset("dawnbench"), checks).startswith("none")


def test_findings_are_read_from_the_source(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    other, wrong = verdicts_in(path, "told")
    assert other == ("other", ("warn",), ())
    assert wrong.levels == ("warn", "fail", "info")
    assert wrong.messages == (f"{HOLE} is {HOLE} off", "first")


def test_every_finding_of_the_audit_is_told() -> None:
    text = Path(str(audit.__file__)).read_text()
    calls = [
        node.args[0].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "_finding"
        and isinstance(node.args[0], ast.Constant)
    ]
    found = audit_verdicts()
    assert {item.rule for item in found} >= set(calls)
    assert len(calls) > 15
    assert all(set(item.levels) <= {"fail", "warn", "info"} and item.levels for item in found)
