"""Mean average precision over tasks whose labels are known for some rows only."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from harness.api import Array, Arrays


def average_precision(scores: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> float:
    """Sum over falling thresholds of precision times the recall gained, from 0 to 1.

    AP = sum_n (R_n - R_{n-1}) P_n, rows of equal scores taken together, as scikit-learn's
    `average_precision_score`. `truth` must hold at least one true row.
    """
    order = np.argsort(-scores, kind="stable")
    result = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = result[last] / (last + 1)
    gained = np.diff(result[last], prepend=0) / result[-1]
    return float(np.sum(gained * precision))


def mean_average_precision(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean over those tasks in which both truths occur, as OGB's evaluator for ogbg-molpcba.

    Args:
        outputs: Scores (rows, tasks).
        labels: `y` (rows, tasks): 1, 0, or less than 0 where the label is missing.

    Raises:
        ValueError: no task has both.
    """
    result = []
    for scores, truth in zip(outputs.T.astype(np.float64), labels["y"].T, strict=True):
        known = truth >= 0
        positive = truth[known] == 1
        if positive.any() and not positive.all():
            result.append(average_precision(scores[known], positive))
    if not result:
        raise ValueError("no task has both truths among the hidden rows; give a larger set")
    return float(np.mean(result))


def known_cross_entropy(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean of -log p(truth) in nats over what is known, p the logistic function of a score."""
    known = labels["y"] >= 0
    scores = outputs.astype(np.float64)[known] * np.where(labels["y"][known] == 1, 1.0, -1.0)
    return float(np.mean(np.logaddexp(0.0, -scores)))
