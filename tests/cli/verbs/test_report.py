"""`joulemark report`: a site on disk, and where it is."""

from pathlib import Path

import click
import pytest

from harness.cli.verbs.report import INDEX, ReportDocument, render_site, rulesets_below
from harness.rules.load import load_ruleset
from tests.lab.results import Plan, rules, series, write_run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    series(folder, Plan(), [4.0, 4.1, 4.2])
    return folder


def test_the_site_is_written_and_named(results: Path, joulemark, tmp_path: Path) -> None:
    result = joulemark("report")
    assert result.exit_code == 0
    index = tmp_path / "reports" / "index.html"
    assert f"open {index}" in result.stdout
    assert "toy" in index.read_text()


def test_the_document_lists_what_was_written(results: Path, joulemark, tmp_path: Path) -> None:
    result = joulemark("report", "--out", "site", "--json")
    output = ReportDocument.model_validate_json(result.stdout)
    assert output.index == str(tmp_path / "site" / "index.html")
    written = {path for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert {(tmp_path / path).resolve() for path in output.files} == written


def test_the_browser_is_asked_for(
    results: Path, joulemark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(click, "launch", shown.append)
    joulemark("report")
    assert shown == []
    joulemark("report", "--open")
    assert shown == [str(tmp_path / "reports" / "index.html")]


def test_out_must_be_a_folder(results: Path, joulemark, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = joulemark("report", "--out", "file")
    assert result.exit_code == 2
    assert "--out file: file is not a folder" in result.stderr


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_figures_come_in_the_formats_asked_for(results: Path, joulemark, tmp_path: Path) -> None:
    result = joulemark("report", "--figures", "fig", "--format", "png, SVG,png", "--json")
    output = ReportDocument.model_validate_json(result.stdout)
    assert {Path(path).name for path in output.figures} == names(tmp_path / "fig")
    assert {path.suffix for path in (tmp_path / "fig").iterdir()} == {".svg", ".png"}
    assert len({Path(path).stem for path in output.figures}) * 2 == len(output.figures)


def test_figures_come_in_every_format_where_none_is_named(
    results: Path, joulemark, tmp_path: Path
) -> None:
    result = joulemark("report", "--figures", "fig")
    written = names(tmp_path / "fig")
    assert {Path(name).suffix for name in written} == {".svg", ".pdf", ".png"}
    assert f"wrote {len(written)} figures to fig" in result.stdout


def test_ci_gets_its_files(results: Path, joulemark, tmp_path: Path) -> None:
    result = joulemark("report", "--ci", "ci", "--json")
    output = ReportDocument.model_validate_json(result.stdout)
    assert {Path(path).name for path in output.ci} == names(tmp_path / "ci")
    assert {"summary.md", "junit.xml"} < names(tmp_path / "ci")
    assert "toy" in (tmp_path / "ci" / "summary.md").read_text()
    assert not (tmp_path / "fig").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--figures", "f", "--format", "gif"], "unknown format of --format 'gif'"),
        (["--figures", "f", "--format", ", "], "names no format; use svg, pdf, png"),
        (["--format", "svg"], "--format needs --figures DIR"),
        (["--ci", "file"], "--ci file: file is not a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    results: Path, joulemark, tmp_path: Path, options: list[str], words: str
) -> None:
    (tmp_path / "file").touch()
    result = joulemark("report", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "reports").exists()


def test_the_rules_of_all_bundles_are_listed_once(tmp_path: Path) -> None:
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
