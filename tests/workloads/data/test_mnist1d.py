"""Curves of MNIST-1D: the published recipe, with new distortions for each run."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import mnist1d_bends
from workloads.data.mnist1d import (
    BENDS,
    DIGITS,
    GRID,
    LENGTH,
    PADDING,
    POINTS,
    SHIFTS,
    Draws,
    bent,
    drawn_signs,
    draws,
    examples,
    mnist1d_splits,
    signs_of,
    standing,
)

PUBLISHED = standing(np.array(DIGITS, dtype=np.float64))
SIGNS = st.lists(st.sampled_from([-1.0, 1.0]), min_size=10, max_size=10)


def still(count: int, **changes: object) -> Draws:
    """No noise, no shift, no shear, no change of height, the least padding."""
    fields = {
        "padding": np.full(count, PADDING[0]),
        "scale": np.full(count, 0.5),
        "shift": np.zeros(count, dtype=np.int64),
        "smooth": np.zeros((count, GRID)),
        "white": np.zeros((count, GRID)),
        "shear": np.full(count, 0.5),
    }
    return Draws(**{**fields, **changes})  # type: ignore[arg-type]


def distances(curves: np.ndarray) -> np.ndarray:
    return np.linalg.norm(curves[:, None] - curves[None], axis=2)


def test_published_curves_begin_and_end_at_0_with_equal_spread() -> None:
    assert PUBLISHED.shape == (10, POINTS)
    assert np.abs(PUBLISHED[:, [0, -1]]).max() < 1e-12
    assert PUBLISHED.std(axis=1) == pytest.approx(np.full(10, 1 / 6))


@given(SIGNS)
def test_bending_keeps_ends_and_distances(signs: list[float]) -> None:
    curves = bent(PUBLISHED, np.array(signs))
    assert np.abs(curves[:, [0, -1]]).max() < 1e-12
    assert distances(curves) == pytest.approx(distances(PUBLISHED), abs=1e-9)


@given(SIGNS)
def test_bending_twice_is_no_bending(signs: list[float]) -> None:
    twice = bent(bent(PUBLISHED, np.array(signs)), np.array(signs))
    assert twice == pytest.approx(PUBLISHED, abs=1e-9)
    assert bent(PUBLISHED, np.ones(10)) == pytest.approx(PUBLISHED, abs=1e-9)


def test_bends_are_those_that_were_measured_to_be_equally_hard() -> None:
    """The committed record says so by the script's rule; most of the others are left out."""
    result = mnist1d_bends.recorded()
    assert mnist1d_bends.equal_bends(result) == BENDS
    assert 8 <= len(BENDS) < len(result) / 2
    means = [float(np.mean(result[bend])) for bend in BENDS]
    firsts = [item[0] for item in result.values()]
    assert np.std(means) < np.std(firsts) / 4


def test_only_bends_near_the_middle_that_were_fitted_often_enough_are_equal() -> None:
    result = {1: [0.8, 0.8, 0.8], 2: [0.801, 0.803, 0.799], 3: [0.9] * 3, 4: [0.7] * 3, 5: [0.8]}
    assert mnist1d_bends.equal_bends(result) == (1, 2)


@given(st.integers(0, 2**32))
def test_drawn_signs_are_a_chosen_bend_or_its_mirror_images(seed: int) -> None:
    signs = drawn_signs(np.random.default_rng(seed))
    turned = signs * signs[0]
    backwards = turned * np.resize([1.0, -1.0], 10)
    chosen = {tuple(signs_of(bend)) for bend in BENDS}
    assert tuple(turned) in chosen or tuple(backwards * backwards[0]) in chosen


@given(st.integers(0, 255))
def test_turning_every_second_wave_reads_the_curves_backwards(bend: int) -> None:
    signs = signs_of(bend)
    other = bent(PUBLISHED, signs * np.resize([1.0, -1.0], 10))
    assert other == pytest.approx(bent(PUBLISHED, signs)[:, ::-1], abs=1e-9)


def test_all_1024_bends_are_256_and_their_mirror_images() -> None:
    every = {
        tuple(upside * signs_of(bend) * np.resize([1.0, back], 10))
        for bend in range(256)
        for upside in (1.0, -1.0)
        for back in (1.0, -1.0)
    }
    assert len(every) == 2**10


def test_a_still_example_is_the_curve_and_then_nothing() -> None:
    result = examples(PUBLISHED, still(10))
    assert result.shape == (10, LENGTH)
    # 12 points of 48 lie in the first quarter; the padding behind them is 0.
    assert np.abs(result[:, 10:]).max() < 1e-8
    place = np.linspace(0, POINTS + PADDING[0] - 1, LENGTH)[:9]
    for row, curve in zip(result, PUBLISHED, strict=True):
        wanted = np.interp(place, np.arange(POINTS), curve)
        assert np.abs(row[:9] - wanted).max() < 0.12


def test_a_shift_rolls_the_signal() -> None:
    shift = np.full(10, GRID // 2)
    plain, moved = examples(PUBLISHED, still(10)), examples(PUBLISHED, still(10, shift=shift))
    assert np.abs(moved[:, :19]).max() < 1e-6
    assert moved.std(axis=1) == pytest.approx(plain.std(axis=1), rel=0.2)


def test_shear_adds_a_line_through_the_middle() -> None:
    sheared = examples(PUBLISHED, still(10, shear=np.ones(10)))
    line = sheared - examples(PUBLISHED, still(10))
    assert line == pytest.approx(np.tile(np.linspace(0.1875, -0.1875, LENGTH), (10, 1)), abs=1e-9)


def test_smooth_noise_stays_out_of_the_curve() -> None:
    noise = np.random.default_rng(0).standard_normal((10, GRID))
    result = examples(PUBLISHED, still(10, smooth=noise)) - examples(PUBLISHED, still(10))
    assert np.abs(result[:, :9]).max() == 0
    assert 0.02 < result[:, 12:].std() < 0.2


def test_draws_lie_in_their_ranges() -> None:
    result = draws(5_000, np.random.default_rng(0))
    assert (result.padding.min(), result.padding.max()) == PADDING
    assert (result.shift.min(), result.shift.max()) == (0, SHIFTS - 1)
    assert 0 <= result.scale.min() < result.scale.max() < 1


def test_instances_differ_in_curves_and_numbering() -> None:
    """A nearest mean learnt on one instance knows nothing of another."""
    first, second = mnist1d_splits(1), mnist1d_splits(2)
    means = np.stack(
        [first.train["x"][first.train["y"] == index].mean(axis=0) for index in range(10)]
    )

    def right(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(((x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1) == y))

    own = right(first.test_inputs["x"], first.test_labels["y"])
    other = right(second.test_inputs["x"], second.test_labels["y"])
    assert own > 0.2
    assert other < 0.15


def test_parts_are_standardised_by_the_training_rows() -> None:
    splits = mnist1d_splits(3)
    assert [len(item) for item in (splits.train["y"], splits.validation["y"])] == [40_000, 2_000]
    assert splits.test_inputs["x"].shape == (48_000, LENGTH)
    assert abs(splits.train["x"].mean()) < 1e-4
    assert splits.train["x"].std() == pytest.approx(1, abs=1e-4)
    assert np.bincount(splits.test_labels["y"]).min() > 4_500


@pytest.mark.skipif(importlib.util.find_spec("mnist1d") is None, reason="mnist1d is not installed")
def test_examples_are_those_of_the_published_package() -> None:
    """The package draws from numpy's global generator; its draws are replayed here."""
    from mnist1d.data import get_dataset_args, get_templates
    from mnist1d.transform import transform

    templates, wanted, rows = get_templates(), [], []
    assert templates["x"] == pytest.approx(PUBLISHED, abs=1e-12)
    for label in range(10):
        np.random.seed(label)  # noqa: NPY002 - the package knows no other
        wanted.append(transform(templates["x"][label], templates["t"], get_dataset_args())[0])
        rows.append(_replayed(label))
    by = Draws(**{name: np.stack([row[name] for row in rows]) for name in rows[0]})
    assert examples(PUBLISHED, by) == pytest.approx(np.stack(wanted), abs=1e-6)


def _replayed(seed: int) -> dict[str, np.ndarray]:
    old = np.random.RandomState(seed)
    result = {"padding": np.asarray(PADDING[0] + int(old.rand() * (PADDING[1] - PADDING[0] + 1)))}
    result["scale"] = np.asarray(old.rand())
    result["shift"] = np.asarray(old.choice(SHIFTS))
    result["smooth"], result["white"] = old.randn(GRID), old.randn(GRID)
    result["shear"] = np.asarray(old.rand())
    return result
