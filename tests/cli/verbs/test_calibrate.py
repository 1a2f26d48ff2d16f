"""`joulemark calibrate`: runs the reference without meters and writes the record."""

from pathlib import Path

import pytest

from harness.bundle import find_bundles
from harness.score.calibration import Calibration
from tests.run.made import HONEST, Folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    made = Folder(tmp_path / "made")
    made.entry(HONEST, name="tiny-adamw")
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made


def test_record_is_written_beside_the_runs(folder: Folder, joulemark) -> None:
    words = ("--runs", "3", "--launcher", "plain", "--quiet", "--json")
    result = joulemark("calibrate", "tiny", *words)
    assert result.exit_code == 0, result.output
    record = Calibration.model_validate_json(result.stdout)
    path = Path("results/calibrations/tiny.json")
    assert Calibration.model_validate_json(path.read_bytes()) == record
    assert (record.submission, record.frozen_target) == ("tiny-adamw", 0.8)
    assert len({run.seed for run in record.runs}) == len(find_bundles(Path("results"))) == 3


def test_broken_reference_is_reported(folder: Folder, joulemark) -> None:
    folder.entry("def train(session): raise RuntimeError('ouch')", name="tiny-adamw")
    result = joulemark("calibrate", "tiny", "--runs", "2", "--launcher", "plain", "--quiet")
    assert result.exit_code == 3
    assert "a calibration needs complete runs" in result.stderr
    assert not Path("results/calibrations").exists()
