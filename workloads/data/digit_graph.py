"""The digits as a graph of nearest neighbours, each node with its neighbourhood."""

from functools import cache

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.digits import SPLIT_SEED, digits
from workloads.data.splits import stratified, without

NEIGHBOURS = 10
TRAIN_NODES = 100
VALIDATION_NODES = 50

Matrix = npt.NDArray[np.float32]


def adjacency(points: Matrix, neighbours: int) -> npt.NDArray[np.bool_]:
    """Which nodes are joined: each to its nearest by Euclidean distance, both ways, and itself."""
    exact = points.astype(np.float64)
    squares = (exact**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * exact @ exact.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :neighbours]
    joined = np.eye(len(points), dtype=np.bool_)
    np.put_along_axis(joined, nearest, values=True, axis=1)
    return joined | joined.T


def normalised(joined: npt.NDArray[np.bool_]) -> Matrix:
    """D^-1/2 A D^-1/2."""
    scale = joined.sum(axis=1) ** -0.5
    return np.asarray(scale[:, None] * joined * scale[None, :], dtype=np.float32)


@cache
def _neighbourhoods() -> tuple[Matrix, Matrix]:
    """For each node the rows of S X of its neighbours and their weights, padded with zeros."""
    images = digits()[0]
    smooth = normalised(adjacency(images, NEIGHBOURS))
    width = int((smooth > 0).sum(axis=1).max())
    order = np.argsort(smooth == 0, axis=1, kind="stable")[:, :width]
    weights = np.take_along_axis(smooth, order, axis=1)
    features = (smooth @ images)[order] * (weights > 0)[..., None]
    return np.asarray(features, dtype=np.float32), weights


def digit_graph_splits() -> Splits:
    """Labels of ten nodes a class to train and five to validate, all others hidden."""
    labels = digits()[1]
    features, weights = _neighbourhoods()
    every = np.arange(len(labels))
    train = stratified(labels, TRAIN_NODES, np.random.default_rng(SPLIT_SEED + 2))
    rest = without(every, train)
    generator = np.random.default_rng(SPLIT_SEED + 3)
    validation = rest[stratified(labels[rest], VALIDATION_NODES, generator)]
    test = without(rest, validation)
    return Splits(
        train={"x": features[train], "weight": weights[train], "y": labels[train]},
        validation={
            "x": features[validation],
            "weight": weights[validation],
            "y": labels[validation],
        },
        test_inputs={"x": features[test], "weight": weights[test]},
        test_labels={"y": labels[test]},
    )
