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


def root_mean_square(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Root of the mean squared difference from `labels["y"]`, in its unit."""
    return float(np.sqrt(np.mean((outputs.astype(np.float64) - labels["y"]) ** 2)))


def excess_error_of_ratings(outputs: Array, labels: Arrays, facts: Mapping[str, float]) -> float:
    """Root mean square error less that of the ideal predictor on the same rows.

    `labels["ideal"]` is the expectation of each value; 0 is what knowing it would give.
    """
    return root_mean_square(outputs, labels, facts) - root_mean_square(
        labels["ideal"], labels, facts
    )


def excess_error_spread(labels: Arrays, facts: Mapping[str, float]) -> float:
    """A third of the excess that honest luck undercuts at three standard errors at most.

    For predictions off by a vector d, the summed excess of squares is normal with mean |d|^2 and
    deviation 2 s |d|, s the noise. Its mean less three deviations is least at |d| = 3 s, where it
    is -9 s^2; over N rows that lowers the root mean square by 9 s / (2 N).
    """
    return 3 * facts["noise"] / (2 * len(labels["y"]))


def exact_rows(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Share of rows in which the likeliest token is the true one wherever one is asked for.

    `labels["y"]` is (rows, places), -1 where nothing is asked for.
    """
    truth = labels["y"]
    right = (np.argmax(outputs, axis=-1) == truth) | (truth < 0)
    return float(np.mean(right.all(axis=1)))


def asked_cross_entropy(outputs: Array, labels: Arrays, facts: Mapping[str, float]) -> float:
    """Cross-entropy in nats over the places where a token is asked for."""
    asked = labels["y"] >= 0
    return cross_entropy(outputs[asked], {"y": labels["y"][asked]}, facts)


DIRECTIONS = 64


def sliced_distance(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Sliced 2-Wasserstein distance between two samples of the plane of equal size.

    Root of the mean squared difference of sorted projections on 64 directions (Bonneel et al.,
    2015). `outputs` and `labels["x"]` are (rows, 2).
    """
    angles = (np.arange(DIRECTIONS) + 0.5) * np.pi / DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)])
    ours = np.sort(outputs.astype(np.float64) @ directions, axis=0)
    theirs = np.sort(labels["x"].astype(np.float64) @ directions, axis=0)
    return float(np.sqrt(np.mean((ours - theirs) ** 2)))


def frechet_distance(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Squared Frechet distance between normal distributions fitted to images of -1 to 1.

    |m - n|^2 + tr(C + D - 2 (C^1/2 D C^1/2)^1/2) in pixel space (Dowson and Landau, 1982; the
    FID of Heusel et al., 2017, without a network). Outputs are clipped to -1 to 1 first.
    """
    ours = np.clip(outputs.astype(np.float64), -1, 1)
    theirs = labels["x"].astype(np.float64)
    ours_cov, theirs_cov = (np.cov(item, rowvar=False, bias=True) for item in (ours, theirs))
    values, vectors = np.linalg.eigh(ours_cov)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ theirs_cov @ root), 0)).sum()
    shift = float(((ours.mean(axis=0) - theirs.mean(axis=0)) ** 2).sum())
    return max(0.0, shift + float(np.trace(ours_cov) + np.trace(theirs_cov) - 2 * overlap))


def mean_return(outputs: Array, _labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Mean over episodes of what each one returned."""
    return float(np.mean(outputs, dtype=np.float64))


def area_under_curve(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """Probability that an anomalous row (y = 1) scores above a normal one; half for equal scores.

    The area under the ROC curve, from ranks (Mann and Whitney, 1947).
    """
    odd = labels["y"] == 1
    _, place, counts = np.unique(outputs, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    many, few = int((~odd).sum()), int(odd.sum())
    return float((ranks[odd].sum() - few * (few + 1) / 2) / (many * few))
