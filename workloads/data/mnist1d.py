"""MNIST-1D: ten short curves, padded, stretched, moved, put into noise and sheared.

S. Greydanus and D. Kobak: Scaling Down Deep Learning with MNIST-1D, ICML 2024 (arXiv 2011.14439);
the recipe is that of the package mnist1d 0.0.2. Each run distorts the published curves again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.api import Splits

CLASSES = 10
POINTS = 12
"""Of a curve."""
PADDING = (36, 60)
"""Least and most zeros behind a curve."""
GRID = POINTS + PADDING[1]
LENGTH = 40
"""Points of an example."""
SCALE, SHEAR, SHIFTS = 0.4, 0.75, 48
SMOOTH_NOISE, WHITE_NOISE = 0.25, 0.02
SMOOTHING, REACH = 2.0, 8
"""Standard deviation and radius of the normal kernel that smooths noise, in points."""
TINY = 1e-8
"""Added to a curve, so that its own zeros are told from the padding."""
ROWS = (40_000, 2_000, 48_000)
"""To train, to validate, hidden: that many, since each run has rows of its own."""
DIGITS = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""The published curves, which look like the digits 0 to 9."""

BENDS = (14, 22, 43, 78, 105, 126, 138, 156, 167, 226, 235)
"""Bends of the curves (see `signs_of`) on which the closed model gets equally far, of 56 that were
measured by `benchmarks/mnist1d_bends.py`: others differ by far more than two runs do."""

Curves = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """What chance does to each of `n` examples."""

    padding: npt.NDArray[np.int64]
    """Zeros behind the curve, (n,)."""
    scale: Curves
    """0 to 1, (n,)."""
    shift: npt.NDArray[np.int64]
    """Points by which it is rolled, (n,)."""
    smooth: Curves
    """Normal, smoothed and put where the padding is, (n, GRID)."""
    white: Curves
    """Normal, put everywhere, (n, GRID)."""
    shear: Curves
    """0 to 1, (n,)."""


def draws(count: int, generator: np.random.Generator) -> Draws:
    """What the recipe draws for so many examples."""
    return Draws(
        padding=generator.integers(PADDING[0], PADDING[1] + 1, size=count),
        scale=generator.random(count),
        shift=generator.integers(0, SHIFTS, size=count),
        smooth=generator.standard_normal((count, GRID)),
        white=generator.standard_normal((count, GRID)),
        shear=generator.random(count),
    )


def standing(curves: Curves) -> Curves:
    """Curves of mean 0 and deviation 1, moved to begin at 0, a sixth as high."""
    curves = curves - curves.mean(axis=1, keepdims=True)
    curves = curves / curves.std(axis=1, keepdims=True)
    return np.asarray((curves - curves[:, :1]) / 6)


def _stretched(curves: Curves, padding: npt.NDArray[np.int64]) -> Curves:
    """Each curve and its zeros behind it, interpolated to GRID points."""
    ends = np.zeros((len(curves), 2))
    points = np.concatenate([curves + TINY, ends], axis=1)
    place = np.arange(GRID) * ((POINTS + padding - 1) / (GRID - 1))[:, None]
    place = np.minimum(place, POINTS)
    below = np.floor(place).astype(np.int64)
    rows = np.arange(len(curves))[:, None]
    share = place - below
    return np.asarray(points[rows, below] * (1 - share) + points[rows, below + 1] * share)


def _smoothed(noise: Curves) -> Curves:
    """By a normal kernel, the ends mirrored."""
    kernel = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SMOOTHING) ** 2)
    wide = np.pad(noise, ((0, 0), (REACH, REACH)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * REACH + 1, axis=1)
    return np.asarray(windows @ (kernel / kernel.sum()))


def _thinned(signals: Curves) -> Curves:
    """Interpolated from GRID points to LENGTH."""
    place = np.linspace(0, GRID - 1, LENGTH)
    below = np.minimum(np.floor(place).astype(np.int64), GRID - 2)
    share = place - below
    return signals[:, below] * (1 - share) + signals[:, below + 1] * share


def examples(curves: Curves, by: Draws) -> Curves:
    """One example of each curve (n, 12): signals (n, 40), before they are standardised."""
    signals = _stretched(curves, by.padding) * (1 + SCALE * (by.scale - 0.5))[:, None]
    rolled = (np.arange(GRID) - by.shift[:, None]) % GRID
    signals = np.take_along_axis(signals, rolled, axis=1)
    signals = np.where(signals == 0, _smoothed(SMOOTH_NOISE * by.smooth), signals)
    signals = signals + WHITE_NOISE * by.white
    slope = SHEAR * (by.shear - 0.5)
    return _thinned(signals - slope[:, None] * np.linspace(-0.5, 0.5, GRID))


def signs_of(bend: int) -> Curves:
    """Signs of the ten waves, (10,): bit k of the bend turns wave k + 2, from 0 on."""
    inner = [1.0 - 2.0 * (bend >> k & 1) for k in range(POINTS - 4)]
    return np.array([1.0, *inner, 1.0])


def bent(curves: Curves, signs: Curves) -> Curves:
    """Curves that begin and end at 0, each of their ten sine waves multiplied by a sign.

    Args:
        curves: Of shape (n, 12).
        signs: -1 or 1 for each wave, (10,).

    Returns:
        Curves with the same distances from each other, since the transform is orthogonal.
    """
    wave = np.arange(1, POINTS - 1)
    basis = np.sqrt(2 / (POINTS - 1)) * np.sin(np.pi * np.outer(wave, wave) / (POINTS - 1))
    inner = curves[:, 1:-1] @ basis * signs @ basis
    return np.pad(inner, ((0, 0), (1, 1)))


def drawn_signs(generator: np.random.Generator) -> Curves:
    """Signs of the ten waves, (10,): one of the calibrated bends, its mirror images among them.

    Upside down, a curve is exactly as hard; read backwards, as hard but for its edges.
    """
    signs = signs_of(int(generator.choice(BENDS)))
    upside, backwards = generator.choice([-1.0, 1.0], size=2)
    signs[1::2] *= backwards
    return np.asarray(signs * upside)


def mnist1d_splits(seed: int) -> Splits:
    """The instance of a seed: curves bent by drawn signs, classes numbered in a drawn order.

    `x` is float32 (rows, 40), standardised by the training rows; `y` is int64 (rows,).
    """
    generator = np.random.default_rng([seed, 0x6D31])
    published = standing(np.array(DIGITS, dtype=np.float64))
    curves = generator.permutation(bent(published, drawn_signs(generator)))
    y = generator.integers(0, CLASSES, size=sum(ROWS))
    signals = examples(curves[y], draws(len(y), generator))
    a, b = ROWS[0], ROWS[0] + ROWS[1]
    scaled = (signals - signals[:a].mean()) / signals[:a].std()
    x = scaled.astype(np.float32)
    return Splits(
        train={"x": x[:a], "y": y[:a]},
        validation={"x": x[a:b], "y": y[a:b]},
        test_inputs={"x": x[b:]},
        test_labels={"y": y[b:]},
    )
