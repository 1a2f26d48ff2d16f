import json
import re
from pathlib import Path

import pytest

from harness.measure import audit, domain_checks
from harness.registry import PLUGINS_VARIABLE, sources
from harness.report.pages.methods import (
    COVERAGE_FILE,
    checks_of,
    constant_text,
    constants_of,
    coverage_cells,
    rulesets_of,
    targets_of,
)
from harness.report.text import with_code
from harness.rules.load import SECTIONS, as_toml, load_ruleset
from tests.report.markup import Markup, pages_of

SOURCES = (
    "Sheppard", "Hansen et al.", "NanoGPT", "Welch", "Holm", "Piepho", "Hurlbert", "Kalibera",
    "Box and Tiao", "Dolan and Moré", "Satterthwaite", "Ang", "JCGM 100:2008", "MLPerf", "AlgoPerf",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(site: Path) -> Markup:
    return pages_of(site)["methods.html"]


def flat(text: str) -> str:
    """As it reads on the page, where backticks become a style."""
    return " ".join(text.replace("`", "").split())


def test_formulas_and_their_sources_are_on_the_page(page: Markup) -> None:
    assert "interval = exp" in page.words
    assert "over disjoint domains" in page.words
    assert "missing, never zero" in page.words
    for source in SOURCES:
        assert source in page.words, source


def test_every_ruleset_is_printed_completely(page: Markup) -> None:
    for source in sources("rulesets"):
        assert flat(as_toml(load_ruleset(source.name))) in page.words, source.name


def test_rules_in_force_are_marked(page: Markup) -> None:
    assert "Smoke smoke in force on this site" in page.words


def test_every_ruleset_is_listed_with_its_changes() -> None:
    views, broken = rulesets_of([])
    assert broken == []
    by_name = {view.ruleset.name: view for view in views}
    assert set(by_name) == {source.name for source in sources("rulesets")}
    assert by_name["smoke"].changes["run.seeds_count"] == "3"
    assert by_name["default"].changes == {}
    assert by_name["haet-energy"].changes["measure.uncertainty_ratio_max"] == "0.05"
    assert not any(view.in_force for view in views)


def test_those_in_force_come_first_and_once() -> None:
    ours = load_ruleset("smoke")
    other = load_ruleset("smoke", ["run.seeds_count=9"])
    views, _ = rulesets_of([ours, other])
    assert [view.in_force for view in views].count(True) == 2
    assert [view.ruleset for view in views[:2]] == [ours, other]
    assert len(views) == len(sources("rulesets")) + 1


def test_a_ruleset_that_cannot_be_loaded_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "rulesets" / "torn.toml").write_text("title = 'no")
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    views, broken = rulesets_of([])
    assert [item.name for item in broken] == ["torn"]
    assert "not valid TOML" in broken[0].error
    assert "torn" not in {view.ruleset.name for view in views}


def test_every_constant_has_its_meaning_and_its_other_values() -> None:
    views, _ = rulesets_of([])
    constants = {constant.key: constant for constant in constants_of(views)}
    fields = [f"{section}.{key}" for section, kind in SECTIONS.items() for key in kind.model_fields]
    assert list(constants) == fields
    assert all(constant.meaning for constant in constants.values())
    assert constants["run.seeds_count"].default == "8"
    assert constants["run.seeds_count"].others["3"] == ["smoke"]
    assert constants["run.budget_s"].default == ""
    for view in views:
        for key, value in view.changes.items():
            assert view.ruleset.name in constants[key].others[value]


def test_sizes_are_readable() -> None:
    assert constant_text(1 << 31) == "2147483648 (2048 MiB)"
    assert constant_text(True) == "true"
    assert constant_text(("a",)) == '["a"]'


def test_every_check_documents_all_of_its_rule_ids(page: Markup) -> None:
    """The page is made from the docstring of the check."""
    checks, broken = checks_of()
    assert broken == []
    assert len(checks) >= 16
    named = {
        check.name: set(re.findall(r"`([a-z0-9-]+)`", check.paragraphs[0])) for check in checks
    }
    for source in sources("checks"):
        assert source.path is not None
        rules = set(re.findall(r'rule="([a-z0-9-]+)"', source.path.read_text()))
        assert rules <= named[source.name], source.name
    for check in checks:
        assert named[check.name]
        assert check.question.startswith("Check ")
        assert flat(check.paragraphs[0]) in page.words, check.name


def test_every_meter_and_every_finding_of_the_audit_is_on_the_page(page: Markup) -> None:
    for source in sources("meters"):
        assert f" {source.name} " in page.words, source.name
    modules = (audit, domain_checks)
    text = "".join(Path(str(module.__file__)).read_text() for module in modules)
    rules = re.findall(r'_finding\(\s*"([a-z-]+)"', text)
    assert len(rules) > 15
    for rule in rules:
        assert f" {rule} " in page.words, rule


def test_the_coverage_is_that_of_the_committed_simulation(page: Markup) -> None:
    coverage = json.loads(COVERAGE_FILE.read_bytes())
    assert coverage["command"] in page.words
    for row in coverage["rows"]:
        assert " ".join(coverage_cells(row)) in page.words


def test_every_target_has_its_derivation(page: Markup) -> None:
    targets = targets_of()
    assert {spec.name for spec, _ in targets} == {source.name for source in sources("workloads")}
    for spec, _ in targets:
        assert flat(spec.target.derivation) in page.words, spec.name
    assert sum(record is not None for _, record in targets) >= 15


def test_the_contents_link_to_sections(page: Markup) -> None:
    targets = [link[1:] for link in page.links if link.startswith("#") and link != "#main"]
    assert len(targets) == 14
    assert set(targets) <= set(page.ids)


def test_backticks_become_code_and_the_rest_is_escaped() -> None:
    assert with_code("a `b<c` <d>") == "a <code>b&lt;c</code> &lt;d&gt;"
