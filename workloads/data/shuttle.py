"""NASA's Shuttle sensor rows, normal and anomalous, from river's copy, read without river.

Statlog (Shuttle), UCI, CC BY 4.0; the subset of 49,097 rows for outlier detection.
"""

import gzip
from functools import cache

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.installed import installed

MASK = ("river/datasets",)
ROWS, FEATURES = 49_097, 9
TEST_NORMAL, VALIDATION = 10_000, 2_000


@cache
def shuttle() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Nine readings a row (49097, 9), and whether it is anomalous.

    Raises:
        FileNotFoundError: river is not installed, or its data folder is masked.
        ValueError: the table is not the known one.
    """
    path = installed("river", "datasets", "shuttle.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        table = np.loadtxt(file, delimiter=",", skiprows=1)
    if table.shape != (ROWS, FEATURES + 1):
        raise ValueError(
            f"{path}: a table of {table.shape}, not {(ROWS, FEATURES + 1)}; install an "
            "unchanged river"
        )
    return table[:, :FEATURES], table[:, FEATURES] == 1


def shuttle_splits() -> Splits:
    """Normal rows to train and to validate; 10,000 normal and all anomalous ones are hidden.

    `x` is standardised by the training rows and clipped to ten deviations.
    """
    readings, odd = shuttle()
    normal = np.random.default_rng(0).permutation(np.flatnonzero(~odd))
    a, b = len(normal) - TEST_NORMAL - VALIDATION, len(normal) - TEST_NORMAL
    train = readings[normal[:a]]
    scaled = np.clip((readings - train.mean(axis=0)) / train.std(axis=0), -10, 10)
    x = scaled.astype(np.float32)
    test = np.concatenate([normal[b:], np.flatnonzero(odd)])
    return Splits(
        train={"x": x[normal[:a]]},
        validation={"x": x[normal[a:b]]},
        test_inputs={"x": x[test]},
        test_labels={"y": odd[test].astype(np.int64)},
    )
