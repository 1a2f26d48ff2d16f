"""Ratings from latent factors that are newly drawn for each run, with the ideal prediction."""

import numpy as np
import numpy.typing as npt

from harness.api import Splits

USERS, ITEMS, FACTORS = 600, 400, 6
TRAIN, VALIDATION, TEST = 34_000, 2_000, 40_000
"""Rows; that many hidden, since each run has hidden rows of its own."""
NOISE = 0.5
"""Standard deviation of a rating around its expectation: the least error anybody can expect."""

Floats = npt.NDArray[np.float64]


def _standard(generator: np.random.Generator, *shape: int) -> Floats:
    """Normal columns with mean exactly 0 and deviation exactly 1: equal variance in each draw."""
    values = generator.normal(size=shape)
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))


def expected_ratings(generator: np.random.Generator) -> Floats:
    """3.5 + user bias + item bias + half the product of factors, for all users and items."""
    user = _standard(generator, USERS, FACTORS) / FACTORS**0.25
    item = _standard(generator, ITEMS, FACTORS) / FACTORS**0.25
    biases = 0.3 * _standard(generator, USERS)[:, None] + 0.5 * _standard(generator, ITEMS)
    return np.asarray(3.5 + biases + 0.5 * user @ item.T)


def _popularities() -> Floats:
    """Shares of the items, the same for every instance, so that all have as many rare ones."""
    return np.random.default_rng(0).dirichlet(np.full(ITEMS, 0.6))


def rating_splits(seed: int) -> Splits:
    """The instance of a seed: `x` is int64 (rows, 2) of user and item, `y` the rating.

    `test_labels["ideal"]` is the expectation of each hidden rating.
    """
    generator = np.random.default_rng([seed, 0x7261])
    expected = expected_ratings(generator)
    count = TRAIN + VALIDATION + TEST
    popularity = generator.permutation(_popularities())
    users = generator.integers(0, USERS, size=count)
    items = generator.choice(ITEMS, size=count, p=popularity)
    pairs = np.stack([users, items], axis=1)
    ideal = expected[users, items]
    ratings = (ideal + NOISE * generator.normal(size=count)).astype(np.float32)
    a, b = TRAIN, TRAIN + VALIDATION
    return Splits(
        train={"x": pairs[:a], "y": ratings[:a]},
        validation={"x": pairs[a:b], "y": ratings[a:b]},
        test_inputs={"x": pairs[b:]},
        test_labels={"y": ratings[b:].astype(np.float64), "ideal": ideal[b:]},
        facts={"noise": NOISE},
    )
