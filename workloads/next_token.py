"""Language models with many symbols, asked token by token; only the truth's share is kept."""

from collections.abc import Mapping

import numpy as np

from harness.api import Array, Arrays, Ask, Splits

ROWS_AT_ONCE = 32
"""Windows in one question: bounds the size of an answer."""


def true_log_probabilities(scores: Array, truth: Array) -> Array:
    """Log of softmax(scores)[truth] in nats, float32.

    Args:
        scores: (rows, symbols).
        truth: (rows,).

    Raises:
        ValueError: another shape, or a score that is not a finite number.
    """
    if scores.shape[:-1] != truth.shape or scores.shape[-1] <= int(truth.max()):
        raise ValueError(f"scores of shape {list(scores.shape)} for {len(truth)} windows")
    exact = scores.astype(np.float64)
    if not np.isfinite(exact).all():
        raise ValueError("some scores are not finite")
    exact -= exact.max(axis=1, keepdims=True)
    result = exact[np.arange(len(truth)), truth] - np.log(np.exp(exact).sum(axis=1))
    return np.asarray(result, dtype=np.float32)


def next_token_log_probabilities(splits: Splits, ask: Ask) -> Array:
    """Nats that a predictor gives to the truth, (windows, length), each from what lies before.

    A window's next token is sent only after the scores for it are there; whatever scores come are
    made a distribution here, so that no predictor can give more than one to all symbols together.
    """
    x, y = splits.test_inputs["x"], splits.test_labels["y"]
    result = np.empty(y.shape, np.float32)
    for start in range(0, len(x), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        for t in range(x.shape[1]):
            scores = ask({"x": np.array(x[rows, : t + 1])})
            result[rows, t] = true_log_probabilities(scores, y[rows, t])
    return result


def nats_per_token(outputs: Array, _labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean of -log p(truth) over all tokens."""
    return -float(np.mean(outputs, dtype=np.float64))


def bits_per_byte(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Bits for the whole text over its bytes, which no choice of tokens changes.

    `labels["bytes"]` holds the bytes that each token represents.
    """
    return -float(np.sum(outputs, dtype=np.float64) / np.log(2) / np.sum(labels["bytes"]))
