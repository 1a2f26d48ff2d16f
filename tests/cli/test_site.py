"""The verbs' way to the site: all results, under their own rules or others."""

from pathlib import Path

from harness.cli.site import INDEX, render_site, rulesets_below
from harness.rules.load import load_ruleset
from tests.lab.results import Plan, rules, series, write_run


def test_the_rules_of_all_bundles_are_found_once(tmp_path: Path) -> None:
    series(tmp_path, Plan(name="a", source="a"), [4.0, 4.1])
    write_run(tmp_path, Plan(name="b", source="b", ruleset="mild", rules=rules("mild")))
    assert [item.name for item in rulesets_below(tmp_path)] == ["default", "mild"]


def test_a_bundle_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Plan())
    (folder / "ruleset.toml").write_text("name = ")
    assert rulesets_below(tmp_path) == []


def test_the_site_is_the_same_every_time(tmp_path: Path) -> None:
    results = tmp_path / "results"
    series(results, Plan(), [4.0, 4.1, 4.2])
    first = render_site(results, tmp_path / "one", None)
    second = render_site(results, tmp_path / "two", None)
    names = [Path(path).relative_to(tmp_path / "one") for path in first.files]
    assert [Path(path).relative_to(tmp_path / "two") for path in second.files] == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_other_rules_are_named_on_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    series(results, Plan(), [4.0, 4.1, 4.2])
    document = render_site(results, tmp_path / "out", load_ruleset("smoke"))
    assert document.index == str(tmp_path / "out" / INDEX)
    assert "smoke" in Path(document.index).read_text()


def test_nothing_to_show_still_gives_a_page(tmp_path: Path) -> None:
    document = render_site(tmp_path / "none", tmp_path / "out", None)
    assert Path(document.index).is_file()
