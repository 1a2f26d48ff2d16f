"""Stratified choices of rows from fixed generators."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def quotas(counts: Rows, chosen: int) -> Rows:
    """Rows to take from each class, by largest remainder; adds up to `chosen`.

    Raises:
        ValueError: more rows are asked for than there are.
    """
    total = int(counts.sum())
    if chosen > total:
        raise ValueError(f"cannot choose {chosen} rows of {total}; ask for fewer")
    exact = counts * (chosen / total)
    taken = np.floor(exact).astype(np.int64)
    largest = np.argsort(taken - exact, kind="stable")
    taken[largest[: chosen - int(taken.sum())]] += 1
    return np.asarray(taken)


def stratified(labels: Rows, chosen: int, generator: np.random.Generator) -> Rows:
    """Sorted positions of `chosen` rows in which each class has its share."""
    classes, counts = np.unique(labels, return_counts=True)
    parts = [
        generator.permutation(np.flatnonzero(labels == item))[:quota]
        for item, quota in zip(classes, quotas(counts, chosen), strict=True)
    ]
    return np.sort(np.concatenate(parts))


def without(rows: Rows, removed: Rows) -> Rows:
    """The rows that are not among those removed, in order."""
    return np.setdiff1d(rows, removed, assume_unique=True)
