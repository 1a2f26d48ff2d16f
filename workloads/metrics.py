"""What judges compute from outputs and labels, with numpy alone."""

from collections.abc import Mapping

import numpy as np

from harness.api import Array, Arrays


def accuracy(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Share of rows whose greatest score is that of the true class, from 0 to 1.

    `outputs` is (rows, classes), `labels["y"]` is (rows,). Of equal scores the first counts.
    """
    return float(np.mean(np.argmax(outputs, axis=-1) == labels["y"]))


def cross_entropy(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean of -log softmax(outputs)[y] in nats; for scores or log-probabilities alike."""
    scores = outputs.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(scores).sum(axis=-1))
    return float(np.mean(log_total - _of_truth(scores, labels["y"])))


def excess_nats(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean of log p(y) - log q(y) in nats, q the predictor's and p the ideal predictor's.

    Its expectation is the Kullback-Leibler divergence of q from p, so it is 0 at best; taking the
    ideal predictor's luck on the same tokens away leaves far less noise than subtracting its
    expectation. `labels["ideal"]` holds log p(y) in nats, in the shape of `labels["y"]`.
    """
    return float(np.mean(labels["ideal"] - _of_truth(outputs.astype(np.float64), labels["y"])))


def excess_error(labels: Arrays, _facts: Mapping[str, float]) -> float:
    """A third of the excess in nats that honest luck undercuts at most once in 740 runs.

    For any predictor q that has not seen the label, E[q(y)/p(y)] is at most 1 whatever came
    before, so the product over N tokens is above exp(a) with probability at most exp(-a) (Ville's
    inequality): an excess below -a/N has probability exp(-a); a = ln 740 is three standard errors
    of the normal distribution, one-sided.
    """
    return float(np.log(740.0) / 3 / labels["y"].size)


def _of_truth(rows: Array, truth: Array) -> Array:
    return np.take_along_axis(rows, truth[..., None].astype(np.int64), axis=-1)[..., 0]
