"""scikit-learn's gradient boosting on histograms; the trees are handed over as arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.api import Array, Session, WorkloadSpec

KINDS = {"feature": np.int64, "threshold": np.float64, "child": np.int64, "value": np.float64}
"""Fields of a tree and what they hold; `child` has two entries a node."""


def train(session: Session) -> None:
    """Fit with the defaults, which stop early on rows of their own, and hand the trees over."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=session.seed % 2**32)
    model.fit(session.train["x"], session.train["y"])
    session.snapshot(as_arrays(model))


def as_arrays(model: Any) -> dict[str, Array]:
    """Every field of all trees, short trees padded, with their depths and the first guess.

    A leaf is its own child on both sides, so that all rows can go down equally far.
    """
    trees = [predictor[0].nodes for predictor in model._predictors]  # noqa: SLF001 - has no public form
    most = max(len(nodes) for nodes in trees)
    shapes = {name: (len(trees), most * (2 if name == "child" else 1)) for name in KINDS}
    arrays = {name: np.zeros(shapes[name], dtype=kind) for name, kind in KINDS.items()}
    for index, nodes in enumerate(trees):
        inner = nodes["is_leaf"] == 0
        own = np.arange(len(nodes))
        sides = [np.where(inner, nodes[side], own) for side in ("left", "right")]
        fields = {
            "feature": np.where(inner, nodes["feature_idx"], 0),
            "threshold": np.where(inner, nodes["num_threshold"], np.inf),
            "child": np.stack(sides, axis=1).ravel(),
            "value": nodes["value"],
        }
        for name, values in fields.items():
            arrays[name][index, : len(values)] = values
    first = np.asarray(model._baseline_prediction, dtype=np.float64)  # noqa: SLF001 - likewise
    depths = np.array([nodes["depth"].max() for nodes in trees], dtype=np.int64)
    return {**arrays, "depth": depths, "first": first.reshape(1)}


def predictor(
    weights: Mapping[str, Any], workload: WorkloadSpec
) -> Callable[[dict[str, Array]], Array]:
    """Walks the trees with numpy alone."""
    del workload
    trees = {name: np.asarray(item) for name, item in weights.items()}

    def predict(inputs: dict[str, Array]) -> Array:
        x = inputs["x"]
        total = np.full(len(x), trees["first"][0])
        for index, depth in enumerate(trees["depth"]):
            total += _walk({name: trees[name][index] for name in KINDS}, int(depth), x)
        return total.astype(np.float32)

    return predict


def _walk(tree: Mapping[str, Array], depth: int, x: Array) -> Array:
    """The value of the leaf that each row ends in."""
    cells, first_cell = x.ravel(), np.arange(len(x)) * x.shape[1]
    node = np.zeros(len(x), dtype=np.int64)
    for _ in range(depth):
        right = cells.take(first_cell + tree["feature"].take(node)) > tree["threshold"].take(node)
        node = tree["child"].take(2 * node + right)
    return np.asarray(tree["value"].take(node))
