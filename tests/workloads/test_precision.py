"""Average precision: scikit-learn's figures, ties together, and missing labels left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss

from workloads.precision import average_precision, known_cross_entropy, mean_average_precision

pairs = st.lists(
    st.tuples(st.sampled_from([-1.5, 0.0, 0.25, 2.0, 3.0]), st.booleans()), min_size=1, max_size=40
).filter(lambda result: any(truth for _, truth in result))


@given(pairs)
def test_figures_are_those_of_scikit_learn(result: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in result])
    truth = np.array([truth for _, truth in result])
    expected = average_precision_score(truth, scores)
    assert average_precision(scores, truth) == pytest.approx(expected)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(50, 6)).astype(np.float32), rng.integers(-1, 2, (50, 6))


def test_mean_is_over_tasks_and_known_rows() -> None:
    scores, y = drawn(0)
    y[:, 4] = np.where(y[:, 4] == 0, -1, y[:, 4])  # no negative: left out
    y[:, 5] = -1  # nothing known: left out
    expected = [
        average_precision_score(y[y[:, k] >= 0, k], scores[y[:, k] >= 0, k]) for k in range(4)
    ]
    assert mean_average_precision(scores, {"y": y}, {}) == pytest.approx(np.mean(expected))


def test_what_is_not_known_has_no_say() -> None:
    scores, y = drawn(1)
    changed = np.where(y < 0, 99, scores)
    for metric in (mean_average_precision, known_cross_entropy):
        assert metric(changed, {"y": y}, {}) == metric(scores, {"y": y}, {})


def test_nothing_to_tell_apart_is_an_error() -> None:
    with pytest.raises(ValueError, match="no task has both truths"):
        mean_average_precision(np.zeros((3, 2)), {"y": np.ones((3, 2))}, {})


def test_cross_entropy_is_that_of_the_logistic_function() -> None:
    scores, y = drawn(2)
    known = y >= 0
    expected = log_loss(y[known], 1 / (1 + np.exp(-scores[known].astype(np.float64))))
    assert known_cross_entropy(scores, {"y": y}, {}) == pytest.approx(expected)
    assert known_cross_entropy(scores * 1e4, {"y": y}, {}) < np.inf
