"""Two interlocked arcs whose shape is newly drawn for each run."""

import numpy as np
import numpy.typing as npt

from harness.api import Splits

TRAIN, VALIDATION, TEST = 6_000, 1_000, 4_000
NOISE = 0.05
"""Standard deviation across the arcs, before scaling."""
SPREAD = 0.12
"""Largest relative change of an arc's radius, height or offset: more makes some instances
harder than others."""
OFFSET = np.array([1.0, 0.5])

Points = npt.NDArray[np.float64]


def draw_arcs(generator: np.random.Generator) -> Points:
    """Per arc its centre, width and height: (2, 4). The second one hangs upside down."""
    offset = OFFSET * generator.uniform(1 - SPREAD, 1 + SPREAD, size=2)
    sizes = generator.uniform(1 - SPREAD, 1 + SPREAD, size=(2, 2))
    sizes[1, 1] *= -1
    return np.concatenate([np.stack([np.zeros(2), offset]), sizes], axis=1)


def turned(points: Points, generator: np.random.Generator) -> Points:
    """By a drawn angle, mirrored or not: all directions weigh the same in the metric."""
    angle = generator.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    turn[:, 1] *= generator.choice([-1.0, 1.0])
    return np.asarray(points @ turn.T)


def moon_points(generator: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    """Points (count, 2) of one instance, mean 0, mean variance of the two coordinates 1."""
    arcs = draw_arcs(generator)
    chosen = arcs[np.arange(count) % 2]  # as many of each: chance shares would be most of the noise
    angles = generator.uniform(0, np.pi, size=count)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = chosen[:, :2] + chosen[:, 2:] * around
    points += NOISE * generator.normal(size=points.shape)
    points = turned(points - points.mean(axis=0), generator)
    return np.asarray(points / np.sqrt(points.var(axis=0).mean()), dtype=np.float32)


def moon_splits(seed: int) -> Splits:
    """The instance of a seed: points `x`; for the test normal noise to start from."""
    generator = np.random.default_rng([seed, 0x6D6F])
    points = moon_points(generator, TRAIN + VALIDATION + TEST)
    noise = generator.standard_normal((TEST, 2), dtype=np.float32)
    a, b = TRAIN, TRAIN + VALIDATION
    return Splits(
        train={"x": points[:a]},
        validation={"x": points[a:b]},
        test_inputs={"x": noise},
        test_labels={"x": points[b:]},
    )
