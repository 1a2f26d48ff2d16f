"""Drawn moons are of one size whatever the shape, and turn with the instance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.data.moons import NOISE, TEST, draw_arcs, moon_points, moon_splits, turned
from workloads.metrics import sliced_distance


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_every_instance_has_the_same_mean_and_size(seed: int) -> None:
    points = moon_points(np.random.default_rng(seed), 4_000)
    assert np.abs(points.mean(axis=0)).max() < 1e-5
    assert points.var(axis=0).mean() == pytest.approx(1, abs=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_turning_keeps_lengths(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(50, 2))
    after = turned(points, generator)
    assert np.allclose(np.linalg.norm(after, axis=1), np.linalg.norm(points, axis=1))
    assert not np.allclose(after, points)


def test_second_arc_hangs_upside_down() -> None:
    arcs = draw_arcs(np.random.default_rng(0))
    assert arcs.shape == (2, 4)
    assert arcs[0, 3] > 0 > arcs[1, 3]
    assert np.all(arcs[1, :2] > 0)


def test_points_lie_on_two_thin_arcs() -> None:
    """Few of a fine grid's cells hold most points, as for curves and not for a cloud."""
    points = moon_points(np.random.default_rng(1), 4_000)
    cells = np.unique(np.floor(points / (4 * NOISE)), axis=0)
    cloud = np.random.default_rng(1).normal(size=points.shape)
    assert 3 * len(cells) < len(np.unique(np.floor(cloud / (4 * NOISE)), axis=0))


def test_fresh_points_of_an_instance_score_far_better_than_noise_or_another_instance() -> None:
    splits, other = moon_splits(3), moon_splits(4)
    floor = sliced_distance(splits.train["x"][:TEST], splits.test_labels, {})
    assert floor < 0.04
    assert sliced_distance(splits.test_inputs["x"], splits.test_labels, {}) > 0.2
    assert sliced_distance(other.train["x"][:TEST], splits.test_labels, {}) > 2 * floor
