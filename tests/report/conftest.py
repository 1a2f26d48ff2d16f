"""Made results and their site, written once for all tests of pages."""

from pathlib import Path

import pytest

from harness.report.site import render
from harness.rules.load import load_ruleset
from tests.archives.made_imports import make_with_imports
from tests.report.made import Made, make, scored


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made") / "results")


@pytest.fixture(scope="session")
def site(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    render(made.results, out, made.scores, made.boards, [load_ruleset("smoke")])
    return out


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with records of other fields beside own runs."""
    return make_with_imports(tmp_path_factory.mktemp("imported"))


@pytest.fixture(scope="session")
def mixed(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of these."""
    out = tmp_path_factory.mktemp("mixed")
    made = scored(imported)
    render(made.results, out, made.scores, made.boards)
    return out
