"""Every smoke workload once through the whole harness: steps and metrics in band, never seconds."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import workloads
from harness.registry import Plugin, discover

SEED = 4_711
NAMES = [
    item.name
    for item in discover("workloads")
    if isinstance(item, Plugin) and item.value.size == "smoke"
]
CALIBRATIONS = Path(workloads.__file__).parent / "calibrations"

pytestmark = pytest.mark.smoke


def _run(name: str, results: Path) -> dict[str, Any]:
    code = "import sys; from harness.cli import main; sys.exit(main())"
    words = ("run", name, "--ruleset", "smoke", "--seed", str(SEED), "--meter", "none")
    command = [sys.executable, "-c", code, *words, "--results", str(results), "--json"]
    variables = {**os.environ, "JOULEMARK_LOCK": str(results / "lock")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _better(record: dict[str, Any], value: float, than: float) -> bool:
    return value >= than if record["better"] == "higher" else value <= than


def _steps_band(record: dict[str, Any]) -> tuple[float, int]:
    """From half of the fewest steps that any calibrated run took, to the end of the schedule.

    A fast machine hands over snapshots at later steps and a slow one at earlier ones.
    """
    hits = [
        next(
            step
            for step, value in zip(run["steps"], run["metrics"], strict=True)
            if _better(record, value, record["target"])
        )
        for run in record["runs"]
    ]
    return min(hits) / 2, max(run["steps"][-1] for run in record["runs"])


def _metric_limit(record: dict[str, Any]) -> float:
    """What no honest run goes beyond: the best calibrated metric and five deviations more."""
    values = [value for run in record["runs"] for value in run["metrics"]]
    spare = 5 * statistics.stdev(run["metrics"][-1] for run in record["runs"])
    return max(values) + spare if record["better"] == "higher" else min(values) - spare


@pytest.mark.parametrize("name", NAMES)
def test_reference_reaches_its_target_in_the_calibrated_number_of_steps(
    name: str, tmp_path: Path
) -> None:
    record = json.loads((CALIBRATIONS / f"{name}.json").read_text())
    (run,) = _run(name, tmp_path)["runs"]
    assert (run["status"], run["reached"], run["seed"]) == ("ok", True, SEED)
    least, most = _steps_band(record)
    assert least <= run["step"] <= most
    assert _better(record, run["metric"], record["target"])
    assert _better(record, _metric_limit(record), run["metric"])


def test_no_smoke_workload_is_left_out() -> None:
    assert len(NAMES) >= 14
