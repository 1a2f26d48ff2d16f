"""The distance of images: nil for themselves, one for shuffled pixels, worse means more."""

import numpy as np
import pytest

from workloads.image_distance import features, relative_distance


def scenes(rows: int, seed: int) -> np.ndarray:
    """Smooth images of -1 to 1: two waves of drawn direction, colour and phase."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:32, 0:32] / 32
    turns, phases = rng.normal(0, 2, (2, rows, 3, 1, 1)), rng.uniform(0, 6, (rows, 3, 1, 1))
    waves = np.sin(2 * np.pi * (turns[0] * x + turns[1] * y) + phases)
    return np.asarray(waves, np.float32)


def stored(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"x": np.rint((images + 1) * 127.5).astype(np.uint8)}


REAL = scenes(400, 0)
OTHER = scenes(400, 1)


def distance(images: np.ndarray) -> float:
    return relative_distance(images.reshape(len(images), -1), stored(REAL), {})


def test_the_images_themselves_are_at_no_distance() -> None:
    exact = stored(REAL)["x"].astype(np.float32) / 127.5 - 1
    assert distance(exact) == pytest.approx(0, abs=1e-6)


def test_shuffled_pixels_are_at_one_and_others_of_the_kind_near_nil() -> None:
    shuffled = np.random.default_rng(3).permuted(OTHER.reshape(400, -1), axis=0)
    assert distance(shuffled) == pytest.approx(1, abs=0.1)
    assert distance(OTHER) < 0.4


def test_the_more_noise_the_farther() -> None:
    noise = np.random.default_rng(4).normal(size=OTHER.shape)
    result = [distance(np.clip(OTHER + share * noise, -1, 1)) for share in (0.0, 0.2, 0.5, 2.0)]
    assert result == sorted(result)
    assert result[-1] > 5 * result[0]


def test_a_normal_fit_of_all_pixels_differs_from_images() -> None:
    flat = REAL.reshape(400, -1)
    drawn = np.random.default_rng(5).normal(size=(400, 400)) @ (flat - flat.mean(0)) / 400**0.5
    assert distance(drawn + flat.mean(0)) > 2 * distance(OTHER)


def test_one_picture_again_and_again_is_far() -> None:
    assert distance(np.repeat(OTHER[:1], 400, axis=0)) > 0.3


def test_values_beyond_are_clipped() -> None:
    assert distance(OTHER * 50) == distance(np.clip(OTHER * 50, -1, 1))


def test_features_do_not_hang_on_the_other_rows() -> None:
    np.testing.assert_allclose(features(REAL[:3]), features(REAL[:9])[:3], rtol=1e-5)
    assert features(REAL[:2]).shape == (2, 128)
