"""scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, read without importing scikit-learn."""

import gzip
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.splits import stratified, without

MASK = ("sklearn/datasets/data",)
"""Folder of the installed package that holds the images and labels."""
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
"""Of the table of comma-separated numbers, unpacked."""
TEST_ROWS = 360
VALIDATION_ROWS = 180
LABELS_A_CLASS = 5
VALIDATION_LABELS_A_CLASS = 1
SPLIT_SEED = 0

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def _table_path() -> Path:
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            return path
    raise FileNotFoundError(
        "the digits are not there: no sklearn/datasets/data/digits.csv.gz in this environment; "
        "install scikit-learn"
    )


def _table() -> bytes:
    path = _table_path()
    text = gzip.decompress(path.read_bytes())
    result = hashlib.sha256(text).hexdigest()
    if result != SHA256:
        raise ValueError(
            f"{path}: SHA-256 of the unpacked table is {result}, not {SHA256}; "
            "install an unchanged scikit-learn"
        )
    return text


@cache
def digits() -> tuple[Images, Labels]:
    """Images of shape (1797, 64) with values from 0 to 1, and labels from 0 to 9; read-only.

    Raises:
        FileNotFoundError: scikit-learn is not installed, or its data folder is masked.
        ValueError: the file is not the one that the targets were calibrated on.
    """
    rows = np.array(_table().decode().replace("\n", ",").rstrip(",").split(","), dtype=np.float32)
    table = rows.reshape(-1, 65)
    images, labels = table[:, :64] / np.float32(16), table[:, 64].astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


@cache
def split_rows() -> tuple[Labels, Labels, Labels]:
    """Rows of train (1,257), validation (180) and test (360), stratified, the same for ever."""
    labels = digits()[1]
    every = np.arange(len(labels))
    test = stratified(labels, TEST_ROWS, np.random.default_rng(SPLIT_SEED))
    rest = without(every, test)
    chosen = stratified(labels[rest], VALIDATION_ROWS, np.random.default_rng(SPLIT_SEED + 1))
    validation = rest[chosen]
    return without(rest, validation), validation, test


def digit_splits(*shape: int) -> Splits:
    """The digits as `x` of float32 (rows, *shape) and `y` of int64 (rows,)."""
    images, labels = digits()
    x = images.reshape(len(images), *shape)
    train, validation, test = split_rows()
    return Splits(
        train={"x": x[train], "y": labels[train]},
        validation={"x": x[validation], "y": labels[validation]},
        test_inputs={"x": x[test]},
        test_labels={"y": labels[test]},
    )


def few_label_splits(*shape: int) -> Splits:
    """Five labelled images a class among 1,427; `y` is -1 where the label is withheld.

    Validation has ten labelled rows only: more would be a training set of their own.
    """
    images, labels = digits()
    x = images.reshape(len(images), *shape)
    test = split_rows()[2]
    rest = without(np.arange(len(labels)), test)
    generator = np.random.default_rng(SPLIT_SEED + 4)
    validation = rest[_equal_shares(labels[rest], VALIDATION_LABELS_A_CLASS, generator)]
    train = without(rest, validation)
    known = _equal_shares(labels[train], LABELS_A_CLASS, generator)
    shown = np.full(len(train), -1)
    shown[known] = labels[train][known]
    return Splits(
        train={"x": x[train], "y": shown},
        validation={"x": x[validation], "y": labels[validation]},
        test_inputs={"x": x[test]},
        test_labels={"y": labels[test]},
    )


def _equal_shares(labels: Labels, item: int, generator: np.random.Generator) -> Labels:
    classes = np.unique(labels)
    parts = [generator.permutation(np.flatnonzero(labels == one))[:item] for one in classes]
    return np.sort(np.concatenate(parts))


def digit_image_splits(noises: int) -> Splits:
    """The images alone, -1 to 1, and normal noise (noises x 360, 64) for the test to start from.

    The hidden images are repeated as often as there are noises: their moments stay the same.
    """
    x = digits()[0] * 2 - 1
    train, validation, test = split_rows()
    generator = np.random.default_rng(SPLIT_SEED + 5)
    noise = generator.standard_normal((noises * len(test), x.shape[1]), dtype=np.float32)
    return Splits(
        train={"x": x[train]},
        validation={"x": x[validation]},
        test_inputs={"x": noise},
        test_labels={"x": np.tile(x[test], (noises, 1))},
    )
