"""A stand-in for an organizer's set of HAET's size: patterns of ten classes in front of clutter."""

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.haet import CLASSES, SIDE

ROWS = {"train": 450, "validation": 50, "test": 100}
"""Images of each class, as HAET's rules have them."""
PATTERNS = 3
"""Of each class."""
CLUTTERS = 400
COARSE = 10
"""Side of the random field that a picture is stretched from."""
MARGIN = 8
"""Pixels that a picture is larger than an image, so that it can be moved."""
STRENGTH = (0.6, 1.2)
"""Least and greatest weight of a pattern; clutter weighs 1."""
CONTRAST, GRAIN = 36.0, 12.0
"""Grey levels of one standard deviation of a picture, and of an image's own noise."""

Pictures = npt.NDArray[np.float32]


def _stretching(side: int) -> Pictures:
    """Matrix (side, COARSE) of linear interpolation from the coarse grid."""
    place = np.linspace(0, COARSE - 1, side)
    near = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(COARSE)))
    return np.asarray(near, dtype=np.float32)


def pictures(count: int, generator: np.random.Generator) -> Pictures:
    """Smooth random colour fields (count, 3, 40, 40) of mean 0 and deviation 1."""
    wide = _stretching(SIDE + MARGIN)
    fields = generator.standard_normal((count, 3, COARSE, COARSE), dtype=np.float32)
    smooth = wide @ fields @ wide.T
    smooth -= smooth.mean(axis=(2, 3), keepdims=True)
    return np.asarray(smooth / smooth.std(axis=(1, 2, 3), keepdims=True), dtype=np.float32)


def cut(chosen: Pictures, generator: np.random.Generator) -> Pictures:
    """Of each picture a square of 32 x 32 pixels at a drawn place."""
    windows = np.lib.stride_tricks.sliding_window_view(chosen, (SIDE, SIDE), axis=(2, 3))
    down, right = generator.integers(0, MARGIN + 1, size=(2, len(chosen)))
    return np.asarray(windows[np.arange(len(chosen)), :, down, right])


def stand_in(seed: int) -> Splits:
    """The instance of a seed, marked `synthetic`: 4,500 to train, 500 to validate, 1,000 hidden.

    `x` is uint8 (rows, 3, 32, 32), `y` int64 (rows,), as those of the packed set.
    """
    generator = np.random.default_rng([seed, 0x686D])
    patterns = pictures(CLASSES * PATTERNS, generator)
    clutter = pictures(CLUTTERS, generator)
    parts: dict[str, dict[str, npt.NDArray[np.generic]]] = {}
    for name, item in ROWS.items():
        y = generator.permutation(np.repeat(np.arange(CLASSES), item))
        own = cut(patterns[PATTERNS * y + generator.integers(0, PATTERNS, len(y))], generator)
        behind = cut(clutter[generator.integers(0, CLUTTERS, len(y))], generator)
        strength = generator.uniform(*STRENGTH, size=(len(y), 1, 1, 1)).astype(np.float32)
        grain = generator.standard_normal(own.shape, dtype=np.float32)
        grey = 128 + CONTRAST * (strength * own + behind) + GRAIN * grain
        parts[name] = {"x": np.clip(grey, 0, 255).astype(np.uint8), "y": y}
    return Splits(
        train=parts["train"],
        validation=parts["validation"],
        test_inputs={"x": parts["test"]["x"]},
        test_labels={"y": parts["test"]["y"]},
        facts={"partial": 0.0, "synthetic": 1.0},
    )
