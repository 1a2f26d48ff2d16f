"""`joulemark explain`: every joule with its source and every term of its uncertainty."""

import math
from pathlib import Path

import pytest

from harness.cli.documents import ExplainDocument
from tests.lab.results import Plan, write_run


def explained(joulemark, folder: Path) -> ExplainDocument:
    result = joulemark("explain", str(folder), "--json")
    assert result.exit_code == 0, result.stderr
    return ExplainDocument.model_validate_json(result.stdout)


def test_terms_add_up_in_squares(joulemark, tmp_path: Path) -> None:
    found = explained(joulemark, write_run(tmp_path / "results", Plan(watts=100.0)))
    domain = found.domains[0]
    assert domain.energy_j == pytest.approx(100.0 * found.window_s, rel=0.01)
    assert domain.uncertainty_j == pytest.approx(math.hypot(*domain.terms_j.values()))
    assert domain.terms_j["gain"] == pytest.approx(0.02 * (domain.energy_j or 0))


def test_the_page_names_source_and_terms(joulemark, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", Plan(method="modelled", simulated=True))
    text = joulemark("explain", str(folder)).stdout
    for part in ("modelled, simulated", "gain", "rapl: test", "total: ", "(k = 2)"):
        assert part in text


def test_no_meter_is_said(joulemark, tmp_path: Path) -> None:
    result = joulemark("explain", str(write_run(tmp_path / "results", Plan(watts=None))))
    assert result.exit_code == 3
    assert "read no meter" in result.stderr


def test_no_window_is_said(joulemark, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", Plan(gun=False, status="crashed"))
    result = joulemark("explain", str(folder))
    assert result.exit_code == 3
    assert "never had a gun" in result.stderr


def test_a_folder_that_is_no_bundle(joulemark, tmp_path: Path) -> None:
    assert joulemark("explain", str(tmp_path)).exit_code == 3
