"""`joulemark report`: a site on disk, and where it is."""

from pathlib import Path

import click
import pytest

from harness.cli.documents import ReportDocument
from tests.lab.results import Plan, series


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
    found = ReportDocument.model_validate_json(result.stdout)
    assert found.index == str(tmp_path / "site" / "index.html")
    written = {path for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert {(tmp_path / path).resolve() for path in found.files} == written


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
