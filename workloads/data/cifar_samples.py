"""CIFAR-10 for models that generate: noise goes in, and a quarter of the test images is hidden."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workloads.data import cifar10
from workloads.data.shards import Packing, Part

STRIDE = 4
"""One test image in so many is hidden, and as many samples are drawn."""
NOISE_SEED = 0


def read(folder: Path) -> Iterator[Part]:
    """Images to train and to validate, without labels; normal noise; hidden images.

    Raises:
        DataMissing: a batch is not there.
        DataFault: a batch is not as the format says, or a class is empty.
    """
    for name, rows in cifar10.read(folder):
        if name in ("train/x", "validation/x"):
            yield name, rows
        if name == "inputs/x":
            hidden = rows[::STRIDE]
            rng = np.random.default_rng(NOISE_SEED)
            yield "inputs/z", rng.standard_normal(hidden.shape, dtype=np.float32)
            yield "labels/x", hidden


CIFAR_SAMPLES = Packing(
    name="cifar10-samples",
    how=cifar10.HOW,
    read=read,
    rows={"train": 45_000, "validation": 5_000, "inputs": 2_500},
)
