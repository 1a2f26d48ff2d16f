"""The simulation is worth its time: a sync or a check taken out of the harness is found by it."""

import os
from pathlib import Path

import pytest

from harness import storage
from tests.faults.planted import PLANTS, plant, result
from tests.faults.simulation import examine
from tests.faults.test_simulation import honest

pytestmark = pytest.mark.faults

LIMIT = 1000
"""As many schedules as every push runs."""
QUICK = (
    "a ledger row is not synced",
    "a row that failed is left in the ledger",
    "a short write is taken for a whole one",
    "what a failed write left of an event stays",
    "an interrupt during the evaluation is forgotten",
    "a bundle is sealed and not signed, although there is a key",
    "a sampler that died is not told of",
    "a failed measurement does not degrade",
    "a fault of the harness is not told from the submission's",
    "the last snapshot of a run that was cut short is leaked",
)
"""Found within a hundred schedules or so; the others are for `make faults`."""
THOROUGH = int(os.environ.get("JOULEMARK_SCHEDULES", "0")) > LIMIT


@pytest.mark.parametrize("name", PLANTS if THOROUGH else QUICK)
def test_a_planted_bug_is_detected(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = result(name, LIMIT)
    assert "again: python -m tests.faults.simulation" in said, f"{name}: not found"
    with capsys.disabled():
        print(f"\n{name}: {said}")  # noqa: T201 - the seed is the finding


@pytest.mark.parametrize("name", PLANTS)
def test_without_a_fault_no_planted_bug_shows(name: str, tmp_path: Path) -> None:
    """So it is the schedules that find them, and no plant breaks everything."""
    with pytest.MonkeyPatch.context() as patch:
        plant(name, patch)
        after = examine(honest(), tmp_path)
    assert after.outcome is not None
    assert after.outcome.run.status == "ok"


def test_a_plant_is_taken_out_again() -> None:
    real = storage.write_file
    with pytest.MonkeyPatch.context() as patch:
        plant("a file is renamed before it is synced", patch)
        assert storage.write_file is not real
    assert storage.write_file is real


def test_a_plant_without_its_ground_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a ledger row is not synced"
    monkeypatch.setitem(PLANTS, name, PLANTS[name]._replace(old="os.sync()"))
    with pytest.raises(AssertionError, match="plant it again"), pytest.MonkeyPatch.context() as p:
        plant(name, p)
