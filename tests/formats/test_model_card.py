"""Model cards: grams by a stated intensity, and never a guess."""

from pathlib import Path

import pytest

from harness.formats.format import FormatError
from harness.formats.model_card import write
from tests.formats.made_results import document, five_runs, one_failed, request_for


def test_grams(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    request = request_for(results, intensity_g_per_kwh="380", location="Bern, Switzerland")
    (text,) = (data.decode() for data in write(request).files.values())
    joules = document(results)["scores"][0]["costs"]["energy_to_target_j"]["value"]
    assert text.startswith("---\nco2_eq_emissions:\n")
    assert f'  "emissions": {joules}' not in text
    line = next(item for item in text.splitlines() if "emissions: " in item)
    assert float(line.partition(": ")[2]) == pytest.approx(joules / 3.6e6 * 380)
    assert 'geographical_location: "Bern, Switzerland"' in text
    assert "counter: cpu-package-0" in text
    assert 'hardware_used: "desk"' in text


@pytest.mark.parametrize("text", ["", "clean", "0", "inf", "-3"])
def test_no_intensity_no_card(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match="how clean the power was"):
        write(request_for(five_runs(tmp_path), intensity_g_per_kwh=text))


def test_an_unknown_kind_of_training_is_refused(tmp_path: Path) -> None:
    request = request_for(five_runs(tmp_path), intensity_g_per_kwh="1", training_type="x")
    with pytest.raises(FormatError, match="pre-training, fine-tuning"):
        write(request)


def test_entries_without_joules_have_no_emissions(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    one_failed(tmp_path)
    result = write(request_for(results, intensity_g_per_kwh="1"))
    assert list(result.files) == ["toy/adam/desk/README.md"]
    assert "toy/bad/desk: no joules" in result.findings[0].message


def test_nothing_to_write_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no entry has joules"):
        write(request_for(five_runs(tmp_path, watts=None), intensity_g_per_kwh="1"))
