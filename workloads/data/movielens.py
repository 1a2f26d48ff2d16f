"""MovieLens 100K, from the copy in RecBole's distribution; it may not be passed on, so it is not.

F. M. Harper and J. A. Konstan: The MovieLens Datasets, 2015; terms of use of GroupLens.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.installed import installed

MASK = ("recbole/dataset_example",)
USERS, ITEMS, RATINGS = 943, 1_682, 100_000
TEST, VALIDATION = 10_000, 5_000


@cache
def ratings() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Pairs of user and item from 0 (100000, 2), and their ratings from 1 to 5.

    Raises:
        FileNotFoundError: recbole is not installed, or its data folder is masked.
        ValueError: the table is not the known one.
    """
    path = installed("recbole", "dataset_example", "ml-100k", "ml-100k.inter")
    table = np.loadtxt(path, skiprows=1, usecols=(0, 1, 2), dtype=np.int64, encoding="utf-8")
    low, high = table.min(axis=0).tolist(), table.max(axis=0).tolist()
    if len(table) != RATINGS or low != [1, 1, 1] or high != [USERS, ITEMS, 5]:
        raise ValueError(
            f"{path}: {len(table)} rows with columns from {low} to {high}, not {RATINGS} of "
            f"{USERS} users, {ITEMS} items and ratings 1 to 5; install an unchanged recbole"
        )
    return table[:, :2] - 1, table[:, 2].astype(np.float32)


def movielens_splits() -> Splits:
    """`x` is int64 (rows, 2) of user and item, `y` the rating; a random tenth is hidden."""
    pairs, stars = ratings()
    order = np.random.default_rng(0).permutation(len(stars))
    a, b = RATINGS - TEST - VALIDATION, RATINGS - TEST
    train, validation, test = order[:a], order[a:b], order[b:]
    return Splits(
        train={"x": pairs[train], "y": stars[train]},
        validation={"x": pairs[validation], "y": stars[validation]},
        test_inputs={"x": pairs[test]},
        test_labels={"y": stars[test]},
    )
