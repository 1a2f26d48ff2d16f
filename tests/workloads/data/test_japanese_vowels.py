"""The utterances are the publisher's, padded, standardised and shared out by speaker."""

import io

import numpy as np
import pytest

from workloads.data.japanese_vowels import FILE, SHA256, japanese_vowel_splits
from workloads.data.packaged import packaged


def test_counts_are_the_publishers() -> None:
    splits = japanese_vowel_splits()
    assert len(splits.train["y"]) + len(splits.validation["y"]) == 270
    assert np.bincount(splits.validation["y"]).tolist() == [3] * 9
    assert np.bincount(splits.test_labels["y"]).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]


def test_first_frame_is_the_publishers() -> None:
    with np.load(io.BytesIO(packaged(FILE, SHA256))) as data:
        assert data["train"][0, :4] == pytest.approx([1.860936, -0.207383, 0.261557, -0.214562])
        assert int(data["train_frames"].sum()) == len(data["train"]) == 4274
        assert int(data["test_frames"].sum()) == len(data["test"]) == 5687


def test_channels_are_standardised_over_the_given_utterances() -> None:
    splits = japanese_vowel_splits()
    given = np.concatenate([splits.train["x"], splits.validation["x"]])
    assert given.shape == (270, 12, 29)
    assert np.allclose(given.mean(axis=(0, 2)), 0, atol=1e-4)
    assert np.allclose(given.std(axis=(0, 2)), 1, atol=1e-3)


def test_padding_is_constant_after_the_last_frame() -> None:
    splits = japanese_vowel_splits()
    with np.load(io.BytesIO(packaged(FILE, SHA256))) as data:
        frames = data["test_frames"].astype(int)
    for row, count in list(zip(splits.test_inputs["x"], frames, strict=True))[::40]:
        assert np.all(row[:, count:] == row[:, -1:])
        assert not np.all(row[:, count - 1] == row[:, -1]) or count == 29
