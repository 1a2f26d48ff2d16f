"""Makes AlgoPerf log trees from a few figures: trials as (seconds, metric) at each evaluation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Trial = Sequence[tuple[float, float]] | None
"""Evaluations of a trial; None: it crashed before the first one."""

Study = Sequence[Trial]
Tree = Mapping[str, Mapping[str, Sequence[Study]]]
"""Submission -> workload -> studies."""

METRICS = {
    "criteo1tb": "loss",
    "finewebedu_lm": "ppl",
    "fastmri": "ssim",
    "imagenet": "accuracy",
    "librispeech": "wer",
    "ogbg": "mean_average_precision",
    "wmt": "bleu",
}

HEADER = (
    "accumulated_eval_time,accumulated_logging_time,accumulated_submission_time,global_step,"
    "preemption_count,score,test/{m},test/num_examples,total_duration,train/{m},"
    "validation/{m},validation/num_examples"
)


def metric_of(workload: str) -> str:
    """Name of a workload's metric."""
    return next(metric for start, metric in METRICS.items() if workload.startswith(start))


def csv_text(metric: str, trial: Sequence[tuple[float, float]]) -> str:
    """A file of evaluations as the runner writes it."""
    rows = [
        f"{10.0 * i},{0.01 * i},{time_s!r},{100 * i},0,{time_s!r},{value!r},1000,"
        f"{time_s + 10 * i!r},{value!r},{value!r},1000"
        for i, (time_s, value) in enumerate(trial)
    ]
    return "\n".join([HEADER.format(m=metric), *rows]) + "\n"


def write_trial(folder: Path, metric: str, trial: Trial) -> None:
    """One trial's folder."""
    folder.mkdir(parents=True)
    if trial is not None:
        (folder / "eval_measurements.csv").write_text(csv_text(metric, trial))
    meta = {"gpu_model_name": "Tesla V100-SXM2-16GB", "gpu_count": 8, "rng_seed": 1}
    (folder / "meta_data_0.json").write_text(json.dumps(meta))


def write_tree(root: Path, tree: Tree, framework: str = "jax") -> Path:
    """The whole archive."""
    for submission, workloads in tree.items():
        for workload, studies in workloads.items():
            for s, study in enumerate(studies):
                for t, trial in enumerate(study, 1):
                    place = f"{submission}/study_{s}/{workload}_{framework}/trial_{t}"
                    write_trial(root / place, metric_of(workload), trial)
    return root


def hit(
    time_s: float, value: float, before: int = 2, miss: float = 0.0
) -> list[tuple[float, float]]:
    """A trial that hits at its evaluation number `before` + 1, at that time."""
    misses = [(time_s * (i + 1) / (before + 2), miss) for i in range(before)]
    return [*misses, (time_s, value)]
