"""Measures how hard each bend of MNIST-1D's curves is for the reference, and picks equal ones.

python -m benchmarks.mnist1d_bends BEND... [--fit K] >> benchmarks/mnist1d_bends.csv
"""

import argparse
import csv
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from benchmarks.calibrate_plain import Recorder, load_submission, predict
from harness.api import Session, Splits
from workloads.data.mnist1d import (
    CLASSES,
    DIGITS,
    ROWS,
    Curves,
    bent,
    draws,
    examples,
    signs_of,
    standing,
)

RECORD = Path(__file__).with_suffix(".csv")
HIDDEN = 20_000
BAND = 0.003
"""Largest distance of a bend's mean accuracy from the middle of those that were fitted again."""
FITS = 3
"""Fits of a bend that may be chosen; the first one alone tells which are worth it."""


def splits_of(signs: Curves, fit: int) -> Splits:
    """Rows of these curves; the draws of one fit are the same for all bends."""
    generator = np.random.default_rng(77 + fit)
    count = ROWS[0] + 100 + HIDDEN
    y = generator.integers(0, CLASSES, size=count)
    by = draws(count, generator)
    signals = examples(bent(standing(np.array(DIGITS, dtype=np.float64)), signs)[y], by)
    a, b = ROWS[0], ROWS[0] + 100
    x = ((signals - signals[:a].mean()) / signals[:a].std()).astype(np.float32)
    return Splits(
        train={"x": x[:a], "y": y[:a]},
        validation={"x": x[a:b], "y": y[a:b]},
        test_inputs={"x": x[b:]},
        test_labels={"y": y[b:]},
    )


def accuracy_of(bend: int, fit: int) -> float:
    """Accuracy that the reference of mnist1d ends at on curves of this bend."""
    train, spec = load_submission("mnist1d-adamw")
    splits, recorder = splits_of(signs_of(bend), fit), Recorder(1e9)
    torch.set_num_threads(1)
    session = Session(
        workload=spec,
        seed=3 + fit,
        device="cpu",
        train=splits.train,
        validation=splits.validation,
        budget_s=1e9,
        snapshot_rule="final",
        channel=recorder,
    )
    train(session)
    model = spec.model()
    model.load_state_dict(recorder.snapshots[-1][2])
    return spec.score(predict(spec, model.eval(), splits), splits.test_labels, {})


def recorded() -> dict[int, list[float]]:
    """Accuracies of each bend in the committed record, one a fit."""
    result = defaultdict(list)
    for bend, _, accuracy in csv.reader(RECORD.read_text(encoding="utf-8").splitlines()[1:]):
        result[int(bend)].append(float(accuracy))
    return result


def equal_bends(result: dict[int, list[float]]) -> tuple[int, ...]:
    """Of the bends that were fitted often enough those near the middle, in order."""
    means = {bend: statistics.mean(item) for bend, item in result.items() if len(item) >= FITS}
    middle = statistics.median(means.values())
    return tuple(sorted(bend for bend, mean in means.items() if abs(mean - middle) <= BAND))


def main(arguments: Iterable[str] | None = None) -> None:
    """Fit the bends that are named, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bends", type=int, nargs="+")
    parser.add_argument("--fit", type=int, default=0)
    options = parser.parse_args(None if arguments is None else list(arguments))
    for bend in options.bends:
        sys.stdout.write(f"{bend},{options.fit},{accuracy_of(bend, options.fit):.5f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
