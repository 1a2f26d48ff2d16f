"""The stand-in of HAET's size: its shares, its mark, and that it can be learnt."""

import numpy as np
import pytest

from harness.api import Splits
from workloads.data.haet_mini import COARSE, MARGIN, cut, pictures, stand_in


@pytest.fixture(scope="module")
def splits() -> Splits:
    return stand_in(1)


def test_shares_are_those_of_the_contest(splits: Splits) -> None:
    parts = (splits.train["y"], splits.validation["y"], splits.test_labels["y"])
    assert [np.bincount(part).tolist() for part in parts] == [[450] * 10, [50] * 10, [100] * 10]
    assert splits.train["x"].shape == (4_500, 3, 32, 32)
    assert splits.train["x"].dtype == np.uint8


def test_it_says_that_it_is_synthetic(splits: Splits) -> None:
    assert splits.facts == {"partial": 0.0, "synthetic": 1.0}
    assert splits.manifest_sha256 is None


def test_grey_levels_fill_the_range_and_rarely_end_at_its_ends(splits: Splits) -> None:
    x = splits.train["x"]
    assert abs(float(x.mean()) - 128) < 3
    assert 35 < float(x.std()) < 60
    assert float(np.mean((x == 0) | (x == 255))) < 0.02


def test_pictures_are_smooth_and_standardised() -> None:
    fields = pictures(20, np.random.default_rng(0))
    assert fields.shape == (20, 3, 32 + MARGIN, 32 + MARGIN)
    assert np.abs(fields.mean(axis=(2, 3))).max() < 1e-4
    assert fields.std(axis=(1, 2, 3)) == pytest.approx(np.ones(20), abs=1e-3)
    # From one coarse point to the next lie four pixels, so neighbours are alike.
    assert np.abs(np.diff(fields, axis=2)).mean() < 2 / COARSE * 3


def test_cuts_are_squares_of_their_own_picture() -> None:
    fields = pictures(3, np.random.default_rng(0))
    result = cut(fields, np.random.default_rng(1))
    for picture, square in zip(fields, result, strict=True):
        offers = [
            picture[:, a : a + 32, b : b + 32] for a in range(MARGIN + 1) for b in range(MARGIN + 1)
        ]
        assert sum(np.array_equal(offer, square) for offer in offers) == 1


def test_classes_can_be_distinguished_but_not_by_brightness(splits: Splits) -> None:
    """Means of classes say more than chance, brightness alone does not."""
    flat = splits.train["x"].reshape(4_500, -1).astype(np.float32)
    y = splits.train["y"]
    means = np.stack([flat[y == index].mean(axis=0) for index in range(10)])
    hidden = splits.test_inputs["x"].reshape(1_000, -1).astype(np.float32)
    nearest = ((hidden[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert np.mean(nearest == splits.test_labels["y"]) > 0.25
    brightness = np.abs(hidden.mean(axis=1)[:, None] - means.mean(axis=1)).argmin(axis=1)
    assert np.mean(brightness == splits.test_labels["y"]) < 0.2


def test_instances_have_other_patterns(splits: Splits) -> None:
    other = stand_in(2)
    first = splits.train["x"][splits.train["y"] == 0].mean(axis=0)
    second = other.train["x"][other.train["y"] == 0].mean(axis=0)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5
