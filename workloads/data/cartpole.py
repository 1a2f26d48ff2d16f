"""A pole on a cart, its dynamics and the mixing of what is observed newly drawn for each run.

Physics after Barto, Sutton and Anderson (1983) in the form of Gymnasium's CartPole-v1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.api import Array, Ask, Splits

Floats = npt.NDArray[np.float64]

STEP_S = 0.02
EDGE_M = 2.4
FALLEN_RAD = 12 * np.pi / 180
EPISODE_STEPS = 500
STARTS = 32
START_SPREAD = 0.05
CENTRE = np.array([9.8, 1.0, 0.1, 0.5, 10.0])
"""Gravity (m/s^2), mass of cart and of pole (kg), half the pole's length (m), force (N)."""
SPREAD = 0.1
"""Largest relative change of each: more makes some instances harder than others."""
SCALE = np.array([1 / EDGE_M, 0.5, 1 / FALLEN_RAD, 0.5])
"""Brings position, speed, angle and angular speed to about 1 before they are mixed."""


class Dynamics(NamedTuple):
    """One instance, as the train split tells it."""

    gravity: float
    cart_kg: float
    pole_kg: float
    half_length_m: float
    force_n: float


def draw_mixing(generator: np.random.Generator) -> Floats:
    """A random rotation (4, 4), uniform: no direction is better observed than another."""
    q, r = np.linalg.qr(generator.normal(size=(4, 4)))
    return np.asarray(q * np.sign(np.diag(r)))


def start_states(generator: np.random.Generator, count: int) -> Floats:
    """Position (m), speed, angle (rad), angular speed, each near 0: (count, 4)."""
    return generator.uniform(-START_SPREAD, START_SPREAD, size=(count, 4))


def observed(states: Floats, mixing: Floats) -> npt.NDArray[np.float32]:
    """What a policy sees of states (count, 4): scaled and rotated."""
    return np.asarray((states * SCALE) @ mixing.T, dtype=np.float32)


def moved(states: Floats, right: npt.NDArray[np.bool_], of: Dynamics) -> Floats:
    """States (count, 4) one Euler step of 0.02 s on, pushed to the right or to the left."""
    _, speed, angle, spin = states.T
    total_kg = of.cart_kg + of.pole_kg
    moment = of.pole_kg * of.half_length_m
    cosine, sine = np.cos(angle), np.sin(angle)
    push = (np.where(right, of.force_n, -of.force_n) + moment * spin**2 * sine) / total_kg
    lever = of.half_length_m * (4 / 3 - of.pole_kg * cosine**2 / total_kg)
    tip = (of.gravity * sine - cosine * push) / lever
    slide = push - moment * tip * cosine / total_kg
    return np.stack([speed, slide, spin, tip], axis=1) * STEP_S + states


def ended(states: Floats) -> npt.NDArray[np.bool_]:
    """Whether the cart is past the edge or the pole has fallen beyond 12 degrees: (count,)."""
    return (np.abs(states[:, 0]) > EDGE_M) | (np.abs(states[:, 2]) > FALLEN_RAD)


def play(splits: Splits, ask: Ask) -> Array:
    """Steps that each hidden episode lasted, float32 (episodes,), at most 500.

    At each step `ask` gives scores (episodes, 2) of left and right for the observations of all
    episodes; the greater one acts.

    Raises:
        ValueError: the answers are not such scores.
    """
    states = splits.test_inputs["start"].copy()
    mixing, numbers = splits.test_inputs["mixing"][0], splits.test_inputs["dynamics"][0]
    dynamics = Dynamics(*numbers.tolist())
    alive = np.ones(len(states), dtype=np.bool_)
    lasted = np.zeros(len(states), dtype=np.float32)
    for _ in range(EPISODE_STEPS):
        scores = ask({"x": observed(states, mixing)})
        if scores.shape != (len(states), 2) or not np.isfinite(scores).all():
            raise ValueError(
                f"finite scores ({len(states)}, 2) of left and right are due at each step"
            )
        states[alive] = moved(states, scores[:, 1] > scores[:, 0], dynamics)[alive]
        lasted += alive
        alive &= ~ended(states)
        if not alive.any():
            break
    return lasted


def cartpole_splits(seed: int) -> Splits:
    """The instance of a seed: `dynamics` (1, 5) and `mixing` (1, 4, 4), for simulation.

    Validation has starts of its own; hidden starts stay with the judge, who plays them.
    """
    generator = np.random.default_rng([seed, 0x6361])
    dynamics = CENTRE * generator.uniform(1 - SPREAD, 1 + SPREAD, size=len(CENTRE))
    mixing = draw_mixing(generator)
    return Splits(
        train={"dynamics": dynamics[None], "mixing": mixing[None]},
        validation={"start": start_states(generator, STARTS)},
        test_inputs={
            "start": start_states(generator, STARTS),
            "mixing": np.tile(mixing, (STARTS, 1, 1)),
            "dynamics": np.tile(dynamics, (STARTS, 1)),
        },
        test_labels={"most": np.full(STARTS, float(EPISODE_STEPS))},
    )
