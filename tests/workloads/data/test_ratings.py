"""Drawn ratings have the stated noise, and instances are equally hard by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.data.ratings import ITEMS, NOISE, USERS, expected_ratings, rating_splits
from workloads.metrics import excess_error_of_ratings, excess_error_spread, root_mean_square


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_expectations_have_the_same_spread_in_every_instance(seed: int) -> None:
    expected = expected_ratings(np.random.default_rng(seed))
    assert expected.shape == (USERS, ITEMS)
    assert expected.mean() == pytest.approx(3.5, abs=0.01)
    # Biases .3 and .5, half of a product of variance 1.
    assert expected.std() == pytest.approx(np.sqrt(0.3**2 + 0.5**2 + 0.5**2), abs=0.04)


def test_noise_around_the_expectation_is_as_stated() -> None:
    labels = rating_splits(5).test_labels
    noise = labels["y"] - labels["ideal"]
    assert noise.std() == pytest.approx(NOISE, rel=0.02)
    assert abs(noise.mean()) < 4 * NOISE / np.sqrt(len(noise))


def test_knowing_the_expectation_scores_zero_and_the_mean_scores_badly() -> None:
    splits = rating_splits(5)
    labels, facts = splits.test_labels, splits.facts
    assert excess_error_of_ratings(labels["ideal"], labels, facts) == 0
    mean = np.full(len(labels["y"]), splits.train["y"].mean())
    assert excess_error_of_ratings(mean, labels, facts) > 0.3


def test_excess_is_the_difference_of_two_root_mean_squares() -> None:
    labels = {"y": np.array([1.0, 2.0]), "ideal": np.array([1.0, 1.0])}
    excess = excess_error_of_ratings(np.array([3.0, 2.0]), labels, {"noise": 1.0})
    assert excess == pytest.approx(np.sqrt(2.0) - np.sqrt(0.5))


def test_honest_luck_stays_above_three_errors_below_zero() -> None:
    """The luckiest size of error, |d| = 3 s, over 20,000 draws of the noise."""
    generator = np.random.default_rng(0)
    rows, noise = 400, 0.5
    drawn = generator.normal(0, noise, size=(20_000, rows))
    off = np.full(rows, 3 * noise / np.sqrt(rows))
    lengths = np.sqrt(np.mean((drawn - off) ** 2, axis=1)) - np.sqrt(np.mean(drawn**2, axis=1))
    bound = 3 * excess_error_spread({"y": drawn[0]}, {"noise": noise})
    share = float(np.mean(lengths < -bound))
    assert share < 3 * 0.00135
    assert share > 0


def test_reading_a_few_labels_is_beyond_luck() -> None:
    splits = rating_splits(6)
    labels, facts = splits.test_labels, splits.facts
    reported = labels["ideal"].copy()
    reported[::200] = labels["y"][::200]
    excess = excess_error_of_ratings(reported, labels, facts)
    assert excess < -3 * excess_error_spread(labels, facts)


def test_root_mean_square_is_numpys_norm() -> None:
    labels = {"y": np.array([1.0, 2.0, 3.0])}
    outputs = np.array([1.5, 2.0, 1.0])
    expected = np.linalg.norm(outputs - labels["y"]) / np.sqrt(3)
    assert root_mean_square(outputs, labels, {}) == pytest.approx(expected)


def test_pairs_are_users_and_items() -> None:
    pairs = rating_splits(7).train["x"]
    assert pairs.shape == (34_000, 2)
    assert pairs.min() == 0
    assert pairs[:, 0].max() == USERS - 1
    assert pairs[:, 1].max() < ITEMS
