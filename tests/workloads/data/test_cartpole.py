"""The drawn poles obey the physics, and hidden episodes are played as asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Array, Arrays
from workloads.data.cartpole import (
    CENTRE,
    EPISODE_STEPS,
    FALLEN_RAD,
    SCALE,
    SPREAD,
    STARTS,
    Dynamics,
    cartpole_splits,
    draw_mixing,
    ended,
    moved,
    observed,
    play,
)
from workloads.metrics import mean_return

STANDARD = Dynamics(*CENTRE.tolist())
STATES = st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4)


def test_one_step_is_gymnasiums() -> None:
    """CartPole-v1 from (0.01, 0.02, 0.03, 0.04), pushed to the right, worked out by its source."""
    x, speed, angle, spin = 0.01, 0.02, 0.03, 0.04
    temp = (10.0 + 0.05 * spin**2 * np.sin(angle)) / 1.1
    tip = (9.8 * np.sin(angle) - np.cos(angle) * temp) / (
        0.5 * (4.0 / 3.0 - 0.1 * np.cos(angle) ** 2 / 1.1)
    )
    slide = temp - 0.05 * tip * np.cos(angle) / 1.1
    expected = [x + 0.02 * speed, speed + 0.02 * slide, angle + 0.02 * spin, spin + 0.02 * tip]
    result = moved(np.array([[x, speed, angle, spin]]), np.array([True]), STANDARD)
    assert result[0] == pytest.approx(expected)


@given(STATES)
def test_mirrored_worlds_move_alike(state: list[float]) -> None:
    here = np.array([state])
    right, left = np.array([True]), np.array([False])
    assert np.allclose(moved(here, right, STANDARD), -moved(-here, left, STANDARD))


def test_a_free_pole_falls_and_a_cart_runs_off() -> None:
    standing = np.zeros((1, 4))
    assert not ended(standing)[0]
    assert ended(np.array([[2.5, 0, 0, 0]]))[0]
    assert ended(np.array([[0, 0, -FALLEN_RAD - 1e-6, 0]]))[0]


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_mixing_loses_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mixing = draw_mixing(generator)
    assert np.allclose(mixing @ mixing.T, np.eye(4), atol=1e-12)
    states = generator.normal(size=(10, 4))
    again = observed(states, mixing).astype(np.float64) @ mixing / SCALE
    assert np.allclose(again, states, atol=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_dynamics_stay_in_their_range(seed: int) -> None:
    ratios = cartpole_splits(seed).train["dynamics"][0] / CENTRE
    assert np.all(np.abs(ratios - 1) <= SPREAD)


def _balance(seed: int) -> "tuple[list[int], Array]":
    """The known linear rule on the unmixed state: push where the pole leans and turns to."""
    splits = cartpole_splits(seed)
    mixing = splits.train["mixing"][0]
    asked: list[int] = []

    def ask(inputs: Arrays) -> Array:
        asked.append(len(inputs["x"]))
        states = inputs["x"].astype(np.float64) @ mixing / SCALE
        push = states @ np.array([0.1, 0.3, 4.0, 1.0])
        return np.stack([-push, push], axis=1).astype(np.float32)

    return asked, play(splits, ask)


def test_a_balancing_rule_stands_to_the_end_in_every_instance() -> None:
    for seed in range(6):
        asked, lasted = _balance(seed)
        assert lasted.tolist() == [EPISODE_STEPS] * STARTS
        assert asked == [STARTS] * EPISODE_STEPS
        assert mean_return(lasted, {}, {}) == EPISODE_STEPS


def test_pushing_to_one_side_ends_soon() -> None:
    splits = cartpole_splits(1)
    asked = []

    def ask(inputs: Arrays) -> Array:
        asked.append(1)
        return np.tile(np.array([0.0, 1.0], dtype=np.float32), (STARTS, 1))

    lasted = play(splits, ask)
    assert lasted.dtype == np.float32
    assert 5 < lasted.min() <= lasted.max() < 20
    assert len(asked) == lasted.max()


@pytest.mark.parametrize("answer", [np.zeros((STARTS, 3)), np.full((STARTS, 2), np.nan)])
def test_answers_that_are_no_scores_are_refused(answer: Array) -> None:
    with pytest.raises(ValueError, match="finite scores"):
        play(cartpole_splits(1), lambda _: answer)


def test_play_leaves_the_hidden_starts_as_they_were() -> None:
    splits = cartpole_splits(2)
    before = splits.test_inputs["start"].copy()
    play(splits, lambda _: np.zeros((STARTS, 2)))
    assert np.array_equal(splits.test_inputs["start"], before)


def test_hidden_starts_are_hidden_from_all() -> None:
    splits = cartpole_splits(2)
    assert set(splits.train) == {"dynamics", "mixing"}
    assert not np.isin(splits.test_inputs["start"], splits.validation["start"]).any()
