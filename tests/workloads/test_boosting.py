"""Boosted trees, handed over as arrays, predict with numpy what scikit-learn predicts."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.calibrate_plain import load_submission


@pytest.mark.filterwarnings("default")
def test_trees_as_arrays_predict_as_scikit_learn() -> None:
    train, spec = load_submission("diamonds-boosting")
    scope = train.__globals__
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2_000, 9)).astype(np.float32)
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    model = HistGradientBoostingRegressor(random_state=0, max_iter=20).fit(x, y)
    predict = scope["predictor"](scope["as_arrays"](model), spec)
    assert predict({"x": x}) == pytest.approx(model.predict(x), abs=1e-5)
    assert predict({"x": x}).dtype == np.float32


@pytest.mark.filterwarnings("default")
def test_a_tree_of_one_leaf_predicts_too() -> None:
    train, spec = load_submission("diamonds-boosting")
    scope = train.__globals__
    x = np.zeros((100, 3), dtype=np.float32)
    model = HistGradientBoostingRegressor(max_iter=2).fit(x, np.arange(100.0))
    arrays = scope["as_arrays"](model)
    assert arrays["depth"].tolist() == [0, 0]
    assert scope["predictor"](arrays, spec)({"x": x}) == pytest.approx(model.predict(x))
