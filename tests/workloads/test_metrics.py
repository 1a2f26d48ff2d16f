"""The judges' figures against scikit-learn and torch, and the bound on honest luck."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from torch.nn import functional

from workloads.data.markov import markov_splits
from workloads.metrics import (
    accuracy,
    area_under_curve,
    cross_entropy,
    excess_error,
    excess_nats,
    frechet_distance,
    mean_return,
    sliced_distance,
)


def _case(seed: int, rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 5, size=(rows, classes)).astype(np.float32)
    return scores, generator.integers(0, classes, size=rows)


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 11))
def test_accuracy_is_scikit_learns(seed: int, rows: int, classes: int) -> None:
    scores, truth = _case(seed, rows, classes)
    assert accuracy(scores, {"y": truth}, {}) == accuracy_score(truth, scores.argmax(axis=1))


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 11))
def test_cross_entropy_is_torchs_and_scikit_learns(seed: int, rows: int, classes: int) -> None:
    scores, truth = _case(seed, rows, classes)
    mine = cross_entropy(scores, {"y": truth}, {})
    peer = functional.cross_entropy(torch.from_numpy(scores).double(), torch.from_numpy(truth))
    shares = torch.from_numpy(scores).double().softmax(dim=1).numpy()
    assert mine == pytest.approx(float(peer), rel=1e-9)
    assert mine == pytest.approx(log_loss(truth, shares, labels=range(classes)), rel=1e-6)


@given(st.integers(0, 2**32), st.floats(-500, 500))
def test_cross_entropy_does_not_hang_on_a_constant(seed: int, constant: float) -> None:
    scores, truth = _case(seed, 20, 4)
    moved = scores.astype(np.float64) + constant
    assert cross_entropy(moved, {"y": truth}, {}) == pytest.approx(
        cross_entropy(scores, {"y": truth}, {}), rel=1e-9
    )


def test_cross_entropy_takes_sequences_as_it_takes_rows() -> None:
    scores, truth = _case(3, 24, 5)
    folded = cross_entropy(scores.reshape(4, 6, 5), {"y": truth.reshape(4, 6)}, {})
    assert folded == pytest.approx(cross_entropy(scores, {"y": truth}, {}))


def test_excess_is_the_loss_less_the_ideal_loss_on_the_same_tokens() -> None:
    scores, truth = _case(4, 30, 6)
    outputs = torch.from_numpy(scores).log_softmax(dim=1).numpy()
    labels = {"y": truth, "ideal": np.full(30, -0.5)}
    assert excess_nats(outputs, labels, {}) == pytest.approx(
        cross_entropy(outputs, {"y": truth}, {}) - 0.5, rel=1e-6
    )


def test_excess_has_far_less_noise_than_loss_less_expectation() -> None:
    """Of a predictor that mixes the ideal with the uniform, over drawn instances."""
    excesses, losses = [], []
    for seed in range(12):
        splits = markov_splits(seed)
        mixed = np.log(0.9 * np.exp(splits.test_labels["ideal"]) + 0.1 / 8)
        excesses.append(float(np.mean(splits.test_labels["ideal"] - mixed)))
        losses.append(float(-mixed.mean() - splits.facts["optimum_nats"]))
    assert np.std(excesses) < 0.3 * np.std(losses)


def test_honest_luck_stays_above_three_errors_below_zero() -> None:
    """4,000 fair games: a predictor as good as a slightly wrong one can be, on 200 tokens."""
    generator = np.random.default_rng(0)
    true, held = np.array([0.5, 0.3, 0.2]), np.array([0.45, 0.35, 0.2])
    drawn = generator.choice(3, p=true, size=(4000, 200))
    excess = (np.log(true) - np.log(held))[drawn].mean(axis=1)
    bound = 3 * excess_error({"y": drawn[0]}, {})
    assert np.mean(excess < -bound) <= 1 / 740 + 3 * np.sqrt(1 / 740 / 4000)
    assert bound == pytest.approx(np.log(740) / 200)


def test_reading_one_label_in_fifty_is_beyond_luck() -> None:
    splits = markov_splits(1)
    reported = splits.test_labels["ideal"].copy()
    reported[:, ::50] = 0.0
    excess = float(np.mean(splits.test_labels["ideal"] - reported))
    assert excess < -3 * excess_error(splits.test_labels, splits.facts)


@given(st.integers(0, 2**32))
def test_sliced_distance_of_a_shifted_sample_is_the_mean_shift(seed: int) -> None:
    """A shift by d moves projections by d cos: the root mean square is |d| / sqrt(2)."""
    points = np.random.default_rng(seed).normal(size=(200, 2))
    shift = np.array([0.3, -0.4])
    moved = np.random.default_rng(seed).permutation(points + shift)
    assert sliced_distance(moved, {"x": points}, {}) == pytest.approx(0.5 / np.sqrt(2))


def test_frechet_distance_is_zero_for_the_same_images_and_scipys_otherwise() -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(5, 5)) / 10
    ours = np.clip(generator.normal(size=(300, 5)) @ mixing, -1, 1)
    theirs = np.clip(generator.normal(size=(200, 5)) * 0.2 + 0.1, -1, 1)
    assert frechet_distance(ours, {"x": np.tile(ours, (3, 1))}, {}) == pytest.approx(0, abs=1e-9)
    a, b = (np.cov(item, rowvar=False, bias=True) for item in (ours, theirs))
    expected = np.sum((ours.mean(0) - theirs.mean(0)) ** 2) + np.trace(a + b - 2 * sqrtm(a @ b))
    assert frechet_distance(ours, {"x": theirs}, {}) == pytest.approx(float(np.real(expected)))


def test_frechet_distance_clips_what_no_image_can_hold() -> None:
    images = np.random.default_rng(0).uniform(-1, 1, size=(100, 4))
    edge = np.sign(images)
    assert frechet_distance(edge * 7, {"x": images}, {}) == pytest.approx(
        frechet_distance(edge, {"x": images}, {})
    )


@given(st.integers(0, 2**32), st.integers(2, 60))
def test_area_under_curve_is_scikit_learns(seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    scores = generator.integers(0, 5, size=rows).astype(np.float32)  # with ties
    mine = area_under_curve(scores, {"y": truth}, {})
    assert mine == pytest.approx(roc_auc_score(truth, scores))


def test_mean_return_is_the_mean() -> None:
    assert mean_return(np.array([10, 20, 500], dtype=np.float32), {}, {}) == pytest.approx(530 / 3)
