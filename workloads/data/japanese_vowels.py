"""Utterances of two Japanese vowels by nine speakers, to be classified by speaker."""

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from harness.api import Array, Splits
from workloads.data.packaged import packaged
from workloads.data.splits import stratified, without

FILE = "japanese_vowels.npz"
SHA256 = "c3c3a606dca4bad43698696d45df68b000b9ae1872d2f1a59aa523131a75b613"
SPEAKERS, CHANNELS, FRAMES = 9, 12, 29
VALIDATION_ROWS = 27
SPLIT_SEED = 0


def _padded(data: Mapping[str, Array], part: str) -> npt.NDArray[np.float32]:
    """Zeros after the last frame: (utterances, channels, 29)."""
    counts = data[f"{part}_frames"].astype(np.int64)
    rows = np.zeros((len(counts), FRAMES, CHANNELS), dtype=np.float32)
    rows[np.arange(FRAMES) < counts[:, None]] = data[part]
    return rows.transpose(0, 2, 1)


def japanese_vowel_splits() -> Splits:
    """The publisher's 270 utterances to train (27 of them to validate) and 370 hidden.

    `x` is float32 (rows, 12, 29), each channel with mean 0 and deviation 1 over the padded 270.
    """
    with np.load(io.BytesIO(packaged(FILE, SHA256)), allow_pickle=False) as data:
        given, test = _padded(data, "train"), _padded(data, "test")
        labels = data["train_speaker"].astype(np.int64)
        truth = data["test_speaker"].astype(np.int64)
    mean = given.mean(axis=(0, 2), keepdims=True)
    deviation = given.std(axis=(0, 2), keepdims=True)
    given, test = ((item - mean) / deviation for item in (given, test))
    validation = stratified(labels, VALIDATION_ROWS, np.random.default_rng(SPLIT_SEED))
    train = without(np.arange(len(labels)), validation)
    return Splits(
        train={"x": given[train], "y": labels[train]},
        validation={"x": given[validation], "y": labels[validation]},
        test_inputs={"x": np.ascontiguousarray(test)},
        test_labels={"y": truth},
    )
