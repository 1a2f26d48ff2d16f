"""Trains a submission in this process over many seeds, for target and spread, without a sandbox.

python -m benchmarks.calibrate_plain SUBMISSION [--seeds N | --instances N] [--json FILE]

With --instances the spread between drawn instances goes into a record that is there already.
"""

import argparse
import contextlib
import gc
import importlib.util
import json
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.api import Array, Arrays, Session, Splits, WorkloadSpec
from harness.records import load
from harness.registry import find
from harness.score.calibration import (
    Calibration,
    CalibrationRun,
    InstanceSpread,
    Subject,
    summed,
)

FIRST_SEED = 1000


class EnoughSnapshotsError(Exception):
    """Ends a rehearsal that was asked for its first snapshots only."""


@dataclass
class Recorder:
    """A channel that keeps snapshots, with CPU seconds of this process in place of the clock."""

    spacing_s: float = 0.0
    most: int | None = None
    """Snapshots after which training is ended, where it is not let run to its own end."""
    snapshots: list[tuple[int | None, float, dict[str, Any]]] = field(default_factory=list)
    begun_s: float = field(default_factory=time.process_time)

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        """Keep a copy, as the sealed one of a run is."""
        del note
        copy = {name: torch.as_tensor(item).detach().clone() for name, item in tensors.items()}
        self.snapshots.append((step, self.now_s(), copy))
        if len(self.snapshots) == self.most:
            raise EnoughSnapshotsError

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Take what the submission says of itself, which is never scored."""

    def now_s(self) -> float:
        """CPU seconds since this recorder was made."""
        return time.process_time() - self.begun_s

    def next_snapshot_s(self) -> float:
        """The last snapshot's time plus the spacing, or the spacing before any."""
        return self.spacing_s + (self.snapshots[-1][1] if self.snapshots else 0.0)


@dataclass(frozen=True)
class Rehearsal:
    """One seed's training: what each snapshot scores, and what it took."""

    seed: int
    steps: list[int | None]
    cpu_s: list[float]
    metrics: list[float]
    losses: list[float]
    total_cpu_s: float
    predict_cpu_s: float

    def record(self) -> CalibrationRun:
        """This rehearsal as a calibration keeps it."""
        return CalibrationRun(
            seed=self.seed,
            steps=tuple(self.steps),
            cpu_s=tuple(self.cpu_s),
            metrics=tuple(self.metrics),
            losses=tuple(self.losses),
            total_cpu_s=self.total_cpu_s,
            predict_cpu_s=self.predict_cpu_s,
        )

    def first_hit(self, passes: Callable[[float], bool]) -> tuple[int | None, float] | None:
        """Step and CPU seconds of the first snapshot that passes, or None."""
        hits = zip(self.steps, self.cpu_s, self.metrics, strict=True)
        return next(((step, cpu) for step, cpu, value in hits if passes(value)), None)


def load_submission(name: str) -> tuple[Callable[[Session], None], WorkloadSpec]:
    """The `train` function of a reference submission and its first workload."""
    folder = find("submissions", name).value
    assert isinstance(folder, Path)
    manifest = tomllib.loads((folder / "submission.toml").read_text())
    spec = importlib.util.spec_from_file_location("rehearsed_train", folder / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    workload = find("workloads", manifest["workloads"][0]).value
    assert isinstance(workload, WorkloadSpec)
    return module.train, workload


@torch.no_grad()
def predict(
    spec: WorkloadSpec, model: torch.nn.Module, splits: Splits, *, lockstep: bool = True
) -> Array:
    """Full outputs for the test split, in lockstep or play where the workload asks for that.

    Without `lockstep` a sequence is read at once: the same figures from a causal model, sooner.
    """

    def ask(questions: Arrays) -> Array:
        tensors = {name: torch.from_numpy(item) for name, item in questions.items()}
        answers = spec.predict(model, tensors) if spec.predict else model(*tensors.values())
        return np.asarray(answers)

    if spec.interact is not None:
        return spec.interact(splits, ask)
    if spec.predict is not None:
        return ask(splits.test_inputs)
    inputs = [torch.from_numpy(test_input) for test_input in splits.test_inputs.values()]
    if lockstep and spec.evaluation == "lockstep":
        length = inputs[0].shape[1]
        steps = [model(*(item[:, : t + 1] for item in inputs))[:, -1] for t in range(length)]
        scores = torch.stack(steps, dim=1)
    else:
        scores = model(*inputs)
    if spec.outputs.kind == "log_probabilities":
        scores = scores.log_softmax(dim=-1)
    return np.asarray(scores)


def rehearse(
    name: str,
    seed: int,
    *,
    spacing_s: float | None = None,
    most: int | None = None,
    instance: int | None = None,
) -> Rehearsal:
    """Train with one seed, by default on the instance of that seed.

    Snapshots lie a fiftieth of the budget apart unless told; `most` ends training at that one.
    """
    train, spec = load_submission(name)
    splits = spec.data(seed if instance is None else instance)
    torch.set_num_threads(spec.threads)
    gc.collect()
    recorder = Recorder(spec.budget_s / 50 if spacing_s is None else spacing_s, most)
    session = Session(
        workload=spec,
        seed=seed,
        device="cpu",
        train=splits.train,
        validation=splits.validation,
        budget_s=spec.budget_s,
        snapshot_rule="first_passing",
        snapshot_spacing_s=recorder.spacing_s,
        threads=spec.threads,
        channel=recorder,
    )
    with contextlib.suppress(EnoughSnapshotsError):
        train(session)
    return _judged(spec, splits, recorder, seed, recorder.now_s())


def _judged(
    spec: WorkloadSpec, splits: Splits, recorder: Recorder, seed: int, total_s: float
) -> Rehearsal:
    model = spec.model()

    def outputs_of(tensors: Mapping[str, Any], *, lockstep: bool) -> Array:
        model.load_state_dict(tensors)
        return predict(spec, model.eval(), splits, lockstep=lockstep)

    outputs = [outputs_of(tensors, lockstep=False) for _, _, tensors in recorder.snapshots]
    begun_s = time.process_time()
    outputs[-1] = outputs_of(recorder.snapshots[-1][2], lockstep=True)
    predict_s = time.process_time() - begun_s
    labels, facts = splits.test_labels, splits.facts
    loss = spec.loss or spec.score
    return Rehearsal(
        seed=seed,
        steps=[step for step, _, _ in recorder.snapshots],
        cpu_s=[cpu for _, cpu, _ in recorder.snapshots],
        metrics=[spec.score(output, labels, facts) for output in outputs],
        losses=[loss(output, labels, facts) for output in outputs],
        total_cpu_s=total_s,
        predict_cpu_s=predict_s,
    )


def calibrate(name: str, seeds: int) -> Calibration:
    """Rehearse with consecutive seeds and apply the rule; one rehearsal before them warms up."""
    spec = load_submission(name)[1]
    rehearse(name, 0)
    runs = [rehearse(name, FIRST_SEED + i).record() for i in range(seeds)]
    subject = Subject(
        workload=spec.name,
        workload_version=None,
        submission=name,
        machine=None,
        better=spec.metric.better,
        digits=spec.metric.digits,
        frozen_target=spec.target.value,
        budget_s=spec.budget_s,
    )
    return summed(subject, runs)


def compact(record: Calibration) -> str:
    """JSON with one line a run, numbers to six significant digits."""

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {key: rounded(item) for key, item in value.items()}
        return [rounded(item) for item in value] if isinstance(value, list) else value

    tree = rounded(record.model_dump(mode="json"))
    runs = ",\n".join(json.dumps(run) for run in tree.pop("runs"))
    return f'{json.dumps(tree)[:-1]}, "runs": [\n{runs}\n]}}\n'


def instance_spread(name: str, instances: int, seeds: int = 3) -> InstanceSpread:
    """How far the final metric differs between runs on one instance, and between instances.

    One-way analysis of variance: the second is the deviation of the instances' means with the
    share of the runs' own spread taken off.
    """
    finals = np.array(
        [
            [
                rehearse(name, FIRST_SEED + seed, spacing_s=1e9, instance=index).metrics[-1]
                for seed in range(seeds)
            ]
            for index in range(instances)
        ]
    )
    return spread_of(finals)


def spread_of(finals: Array) -> InstanceSpread:
    """The two deviations of final metrics of shape (instances, runs)."""
    instances, seeds = finals.shape
    within = float(finals.var(axis=1, ddof=1).mean())
    between = max(0.0, float(finals.mean(axis=1).var(ddof=1)) - within / seeds)
    return InstanceSpread(
        instances_count=instances,
        runs_per_instance=seeds,
        deviation_runs=within**0.5,
        deviation_instances=between**0.5,
    )


def main() -> None:
    """Read the arguments, calibrate, print a table, write the record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submission")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--instances", type=int)
    options = parser.parse_args()
    if options.instances:
        spread = instance_spread(options.submission, options.instances)
        sys.stdout.write(spread.model_dump_json(indent=2) + "\n")
        if options.json:
            document = load(Calibration, options.json.read_bytes(), options.json)
            options.json.write_text(compact(document.model_copy(update={"instances": spread})))
        return
    record = calibrate(options.submission, options.seeds)
    for run in record.runs:
        grid = " ".join(f"{s}:{m:.4f}" for s, m in zip(run.steps, run.metrics, strict=True))
        sys.stdout.write(f"seed {run.seed}  {run.total_cpu_s:.2f} CPU s  {grid}\n")
    sys.stdout.write(record.model_dump_json(indent=2, exclude={"runs"}) + "\n")
    if options.json:
        options.json.write_text(compact(record))


if __name__ == "__main__":
    main()
