"""scikit-learn's gradient boosting on histograms; the trees are handed over as arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.api import Array, Session, WorkloadSpec

FIELDS = ("feature_idx", "num_threshold", "left", "right", "is_leaf", "value")


def train(session: Session) -> None:
    """Fit with the defaults, which stop early on rows of their own, and hand the trees over."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=session.seed % 2**32)
    model.fit(session.train["x"], session.train["y"])
    session.snapshot(as_arrays(model))


def as_arrays(model: Any) -> dict[str, Array]:
    """Every field of all trees as (trees, nodes), short trees padded, and the first guess."""
    trees = [each[0].nodes for each in model._predictors]  # noqa: SLF001 - has no public form
    most = max(len(nodes) for nodes in trees)
    arrays = {}
    for name in FIELDS:
        kind = np.float64 if name in {"num_threshold", "value"} else np.int64
        arrays[name] = np.zeros((len(trees), most), dtype=kind)
        for row, nodes in zip(arrays[name], trees, strict=True):
            row[: len(nodes)] = nodes[name]
    first = np.asarray(model._baseline_prediction, dtype=np.float64)  # noqa: SLF001 - likewise
    return {**arrays, "first": first.reshape(1)}


def predictor(
    weights: Mapping[str, Any], workload: WorkloadSpec
) -> Callable[[dict[str, Array]], Array]:
    """Walks the trees with numpy alone."""
    del workload
    trees = {name: np.asarray(each) for name, each in weights.items()}

    def predict(inputs: dict[str, Array]) -> Array:
        x = inputs["x"]
        total = np.full(len(x), trees["first"][0])
        for index in range(len(trees["value"])):
            total += _walk({name: trees[name][index] for name in FIELDS}, x)
        return total.astype(np.float32)

    return predict


def _walk(tree: Mapping[str, Array], x: Array) -> Array:
    """The value of the leaf that each row ends in."""
    node = np.zeros(len(x), dtype=np.int64)
    rows = np.arange(len(x))
    while not tree["is_leaf"][node].all():
        left = x[rows, tree["feature_idx"][node]] <= tree["num_threshold"][node]
        onward = np.where(left, tree["left"][node], tree["right"][node])
        node = np.where(tree["is_leaf"][node] == 1, node, onward)
    return np.asarray(tree["value"][node])
