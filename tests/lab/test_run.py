"""`joulemark run` against fake cards and counters: the truth lies within what is stated."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.ledger import LOCK_VARIABLE
from harness.measure.trace import read_trace
from harness.meters.fake import Wave
from harness.records import Run
from harness.records.base import load
from tests.lab import nvml, powercap
from tests.lab.measured import energy

pytestmark = [pytest.mark.needs("compiler"), pytest.mark.needs("bubblewrap"), pytest.mark.slow]

WAVES = [
    {"shape": "constant", "watts": 250},
    {"shape": "square", "wave_s": 0.7},
    {"shape": "pulse", "wave_s": 1.1, "gain": 1.03},
    {"shape": "ramp", "wave_s": 0.9, "gain": 0.97},
    {"shape": "sine", "wave_s": 1.7},
]
"""Their steps lie further apart than one update of the card, as `tests/lab/waves.py` has them: then
each term of the uncertainty is the whole range of its error and not 95 % of it, and no phase of the
sensors and no load of the machine takes the truth outside of it. `pytest -s` prints the figures."""
PACKAGE = Wave("sine", 120.0, 20.0, 1.3)


def run(folder: Path, environment: dict[str, str], tree: Path) -> Path:
    """One run by the command line; gives its bundle."""
    start = "from harness.cli import main; main()"
    command = [sys.executable, "-c", start, "run", "markov-lm", "--ruleset", "smoke"]
    command += ["--seeds", "1", "--meter", "nvml", "--meter", f"rapl:root={tree}", "--json"]
    done = subprocess.run(
        [*command, "--results", str(folder)],
        # A lock of its own: nothing here is timed, and other tests may hold the machine's.
        env={**os.environ, **environment, LOCK_VARIABLE: str(folder.with_name("lock"))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 1, 5, 7), done.stderr[-2000:]
    result: Any = json.loads(done.stdout)
    return folder / str(result["runs"][0]["bundle"])


@pytest.mark.parametrize("wave", WAVES, ids=[str(item["shape"]) for item in WAVES])
def test_the_truth_lies_within_the_figures_of_a_run(tmp_path, wave):
    environment = nvml.knobs(**wave)
    tree = tmp_path / "powercap"
    packages = powercap.server(tree, sockets=1)
    with powercap.running(dict.fromkeys(packages.values(), PACKAGE)) as origin_ns:
        bundle = run(tmp_path / "results", environment, tree)
    record = load(Run, (bundle / "run.json").read_bytes(), bundle)
    begin_ns, end_ns = record.window.gun_ns, record.window.end_ns
    assert begin_ns is not None
    assert end_ns is not None
    monotonic_ns = int(record.window.origin_monotonic_ns)
    trace = read_trace(bundle / "trace.csv.gz")
    card_j = nvml.truth_j(environment, monotonic_ns + begin_ns, monotonic_ns + end_ns)
    edges_s = [(monotonic_ns + stamp - origin_ns) / 1e9 for stamp in (begin_ns, end_ns)]
    package_j = PACKAGE.energy_j(edges_s[1]) - PACKAGE.energy_j(edges_s[0])
    truths = {"gpu-0": card_j, "gpu-0-instant": card_j, "cpu-package-0": package_j}
    for domain in record.domains:
        if domain.name not in truths:
            continue
        result = energy(trace, domain, begin_ns, end_ns)
        truth_j = truths[domain.name]
        assert result.energy_j is not None
        assert result.bound_j is not None
        assert result.bound_j[0] <= truth_j <= result.bound_j[1], result
        # The readings do not show how much of the time the power sensor sees.
        assert (result.u_j is None) == domain.name.endswith("-instant")
        assert abs(result.energy_j - truth_j) <= (result.u_j or result.energy_j), result
        error = f"{100 * (result.energy_j / truth_j - 1):+.1f} %"
        figures = f"{truth_j:.2f} | {result.energy_j:.2f} ± {result.u_j or 0:.2f} | {error}"
        print(f"| {wave['shape']} | {domain.name} | {figures} |")  # noqa: T201 - `pytest -s` shows it
    assert record.sampler is not None
    assert record.sampler.cpu_s > 0
