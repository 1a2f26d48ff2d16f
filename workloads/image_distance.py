"""How far generated images are from real ones, in the features of a fixed, untrained net."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from harness.api import Array, Arrays
from workloads.metrics import frechet_distance

Floats = npt.NDArray[np.float32]

SEED = 20_220_405
WIDTHS = (32, 64, 128)
"""Maps after each layer of 4 x 4 filters with a stride of two."""
SIDE = 4
ROWS_AT_ONCE = 250


def _patches(x: Floats) -> Floats:
    """Patches of 4 x 4 with stride two, borders mirrored: (rows, places, places, 16 channels)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(2, 3))
    strided = windows[:, :, ::2, ::2].transpose(0, 2, 3, 1, 4, 5)
    return np.ascontiguousarray(strided).reshape(*strided.shape[:3], -1)


def features(images: Floats) -> npt.NDArray[np.float64]:
    """Float32 (rows, 3, 32, 32) of -1 to 1 to (rows, 128).

    Three layers of seeded normal filters with ReLU, then the mean over all places. Embeddings
    by untrained nets order generators much as trained ones do, without the latter's bias to the
    classes of photographs: Naeem et al., "Reliable Fidelity and Diversity Metrics", 2020.
    """
    rng = np.random.default_rng(SEED)
    x = images
    for width in WIDTHS:
        patches = _patches(x)
        weights = rng.standard_normal((patches.shape[-1], width), dtype=np.float32)
        maps = patches @ (weights * np.float32((2 / len(weights)) ** 0.5))
        x = np.maximum(maps, 0).transpose(0, 3, 1, 2)
    return np.asarray(x.mean(axis=(2, 3), dtype=np.float64))


def _all_features(images: Array) -> npt.NDArray[np.float64]:
    pieces = range(0, len(images), ROWS_AT_ONCE)
    return np.concatenate(
        [features(images[at : at + ROWS_AT_ONCE].astype(np.float32)) for at in pieces]
    )


def _between(ours: Array, theirs: Array) -> float:
    """The Frechet distance of features, both scaled by the deviations of the second."""
    first, second = _all_features(ours), _all_features(theirs)
    # `frechet_distance` clips to -1 to 1, which pixels need and features must not reach.
    scale = 100 * (second.std(axis=0) + 1e-12)
    mean = second.mean(axis=0)
    return frechet_distance((first - mean) / scale, {"x": (second - mean) / scale}, {})


def relative_distance(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """0 for the real images' own distribution, 1 for that of pixels that know nothing of others.

    The Frechet distance in `features`, divided by that of the real images with each pixel
    shuffled over all rows: the same histogram at each place, and no dependence between places.

    Args:
        outputs: Samples (rows, 3072), -1 to 1; what is beyond is clipped.
        labels: `x`, uint8 (rows, 3, 32, 32).
    """
    real = labels["x"].astype(np.float32) / 127.5 - 1
    ours = np.clip(outputs.astype(np.float32), -1, 1).reshape(real.shape)
    flat = real.reshape(len(real), -1)
    shuffled = np.random.default_rng(SEED).permuted(flat, axis=0).reshape(real.shape)
    return _between(ours, real) / _between(shuffled, real)
