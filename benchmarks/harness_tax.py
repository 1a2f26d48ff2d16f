"""What the harness costs a training: the same script inside `joulemark run` and as a plain script.

python -m benchmarks.harness_tax [--pairs N] [--workload digits-cnn]

Interleaved pairs, each in a random order. The script compares CPU seconds of the training process,
once of the training alone (from the start signal; in the plain script, `train()` alone) and once
of the whole process, imports and start included. Printed are the medians, their ratio, the ratio
pair by pair with its spread, and what the sampler and the modelled meter cost beside.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

JOULEMARK = Path(sysconfig.get_path("scripts")) / "joulemark"

PLAIN = """
import importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
from harness.api import Session
from harness.registry import find

class DiscardingChannel:
    def snapshot(self, tensors, step, note): pass
    def send(self, kind, fields): pass
    def now_s(self): return time.perf_counter() - begun
    def next_snapshot_s(self): return 0.0

spec = find("workloads", sys.argv[2]).value
splits = spec.data(int(sys.argv[3]))
import torch
torch.set_num_threads(spec.threads)
for name in json.loads(sys.argv[4]): importlib.import_module(name)
torch.manual_seed(int(sys.argv[3]))
begun = time.perf_counter()
session = Session(workload=spec, seed=int(sys.argv[3]), device="cpu", train=splits.train,
    validation=splits.validation, budget_s=1e9, snapshot_rule="final", channel=DiscardingChannel())
before = time.process_time()
importlib.import_module("train").train(session)
print(json.dumps(time.process_time() - before))
"""


class Cost(NamedTuple):
    """CPU seconds of one training process."""

    training_s: float
    whole_s: float


def plain(workload: str, folder: Path, imports: list[str], seed: int) -> Cost:
    """The script by itself."""
    command = [sys.executable, "-c", PLAIN, str(folder), workload, str(seed), json.dumps(imports)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(json.loads(done.stdout), whole_s)


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[1])
    return {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": root, "HOME": "/tmp"}


def harnessed(workload: str, folder: Path, seed: int) -> tuple[Cost, dict[str, Any]]:
    """The same under `joulemark run`, with its sandbox, meters and judge."""
    with tempfile.TemporaryDirectory() as results:
        options = ["--seed", str(seed), "--ruleset", "default", "--results", results, "--quiet"]
        command = [str(JOULEMARK), "run", workload, "--submission", str(folder), *options]
        subprocess.run(command, capture_output=True, check=False)
        (path,) = Path(results).rglob("run.json")
        run = json.loads(path.read_text())
    usage = run["usage"]
    return Cost(usage["window_cpu_s"], usage["cpu_s"]), run["sampler"]


def ratio_text(pairs: list[tuple[float, float]]) -> str:
    """Medians and ratio of (harnessed, plain) figures."""
    inside, outside = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    return (
        f"{outside:7.3f} s  {inside:7.3f} s   {inside / outside:5.3f}   "
        f"{statistics.median(ratios):5.3f} [{ratios[0]:.3f}..{ratios[-1]:.3f}]"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--workload", default="digits-cnn")
    chosen = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    folder = root / "workloads" / "submissions" / f"{chosen.workload}-adamw"
    from harness.run.submission import open_submission

    imports = list(open_submission(str(folder)).file.imports)
    training: list[tuple[float, float]] = []
    whole: list[tuple[float, float]] = []
    samplers = []
    for seed in range(1, chosen.pairs + 1):
        first_plain = random.random() < 0.5
        outside = plain(chosen.workload, folder, imports, seed) if first_plain else None
        inside, sampler = harnessed(chosen.workload, folder, seed)
        outside = outside or plain(chosen.workload, folder, imports, seed)
        training.append((inside.training_s, outside.training_s))
        whole.append((inside.whole_s, outside.whole_s))
        samplers.append(sampler)
    print(f"{chosen.workload}, {chosen.pairs} interleaved pairs, CPU seconds")
    print("                 plain    harness   ratio   by pair: median [least..greatest]")
    print(f"training     {ratio_text(training)}")
    print(f"whole process{ratio_text(whole)}")
    own = statistics.median(s["cpu_s"] - sum(s["helpers_cpu_s"].values()) for s in samplers)
    helper = statistics.median(sum(s["helpers_cpu_s"].values()) for s in samplers)
    print(f"beside it: sampler {own:.3f} s, modelled meter's helper {helper:.3f} s")


if __name__ == "__main__":
    main()
