"""How long imports and their scores take, in CPU seconds of whole processes, against the peers'.

python -m benchmarks.imports [--repeats N] [--only-package]

Makes three archives in a temporary folder: an AlgoPerf tree of 3,850 trials (4.5 % crashed), an
MLPerf package of 100 files with power, and one of 3,000 power logs. Each is imported and scored by
the command line, start-up included; the median of N is printed. mlperf-logging's summarizer reads
the same package; AlgoPerf's scorer is on no package index, so nothing stands beside that tree.
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
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.archives.formats.mlperf_package import SYSTEM_FIELDS
from tests.archives.algoperf.made import Trial, hit, metric_of, write_tree
from tests.archives.mlperf.made import SYSTEM, Power, Run, write_package

JOULEMARK = Path(sysconfig.get_path("scripts")) / "joulemark"

WORKLOADS = {
    "criteo1tb": 0.12, "fastmri": 0.8, "imagenet_resnet": 0.8, "imagenet_vit": 0.8,
    "librispeech_conformer": 0.05, "librispeech_deepspeech": 0.05, "ogbg": 0.3, "wmt": 31.0,
    "criteo1tb_embed_init": 0.12, "fastmri_tanh": 0.8, "imagenet_resnet_large_bn_init": 0.8,
    "librispeech_conformer_layernorm": 0.05, "ogbg_model_size": 0.3, "wmt_glu_tanh": 31.0,
}  # fmt: skip
"""A value that reaches the target of each workload of AlgoPerf 0.5."""


def cpu_s(command: Sequence[str], folder: Path) -> float:
    """CPU seconds, user and system, of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr[-500:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def algoperf(root: Path) -> None:
    """Eleven submissions on fourteen workloads, five studies of five trials."""
    draw = random.Random(3)

    def trial(name: str, good: float) -> Trial:
        bad = 9.9 if metric_of(name) in ("loss", "wer") else 0.0
        if draw.random() < 0.045:
            return None
        if draw.random() < 0.5:
            return hit(draw.uniform(1e3, 5e3), good, before=draw.randint(10, 60), miss=bad)
        return hit(5e3, bad, before=40, miss=bad)

    tree = {
        f"s{index}": {
            name: [[trial(name, good) for _ in range(5)] for _ in range(5)]
            for name, good in WORKLOADS.items()
        }
        for index in range(11)
    }
    write_tree(root, tree)


def noisy(seed: int) -> Callable[[float], float]:
    """Power of a node: idle around the run, noise on it."""
    draw = random.Random(seed)
    return lambda at_s: (1000 if 0 < at_s <= 300 else 200) + draw.uniform(-50, 50)


def mlperf(root: Path, runs: int, nodes: int) -> None:
    """Runs with a power log for each node."""
    many = [
        Run(
            run_s=280 + 3 * index,
            division="open",
            nodes=tuple(Power(watts=noisy(100 * index + n), conversion=0.94) for n in range(nodes)),
            switches=(700.0,),
            accuracies=(*[0.1] * 160, 0.77),
        )
        for index in range(runs)
    ]
    write_package(root, many)
    described = dict.fromkeys((*SYSTEM_FIELDS, "operating_system"), "not recorded") | SYSTEM
    described["status"] = "Available on-premise"
    (root / "systems/one.json").write_text(json.dumps(described))


def measured(folder: Path, name: str, archive: str, ruleset: str, repeats: int) -> float:
    """Median CPU seconds of import and score together; prints both."""
    both = []
    for _ in range(repeats):
        words = ["import", name, archive, "--results", f"{archive}-results", "--json"]
        first = cpu_s([str(JOULEMARK), *words], folder)
        words = ["score", f"{archive}-results", "--ruleset", ruleset, "--json"]
        both.append((first, cpu_s([str(JOULEMARK), *words], folder)))
    import_s, score_s = (statistics.median(column) for column in zip(*both, strict=True))
    total = statistics.median(a + b for a, b in both)
    print(f"{archive:12} import {import_s:6.2f} s   score {score_s:6.2f} s   both {total:6.2f} s")
    return total


def peer(folder: Path, repeats: int) -> float:
    """Median CPU seconds of MLPerf's summarizer on the package."""
    module = "mlperf_logging.result_summarizer"
    command = [sys.executable, "-m", module, "package", "training", "4.0.0", "--csv", "s.csv"]
    return statistics.median(cpu_s(command, folder) for _ in range(repeats))


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-package", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mlperf(folder / "package", 10, 8)
        if not given.only_package:
            algoperf(folder / "trials")
            measured(folder, "algoperf", "trials", "algoperf-v0.5-external", given.repeats)
            mlperf(folder / "power", 10, 300)
            measured(folder, "mlperf-training", "power", "mlperf-training", 1)
        ours = measured(folder, "mlperf-training", "package", "mlperf-training", given.repeats)
        theirs = peer(folder, given.repeats)
        print(f"mlperf-logging's summarizer on package: {theirs:.2f} s, {theirs / ours:.1f} times")


if __name__ == "__main__":
    main()
