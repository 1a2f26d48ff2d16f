"""Proximal policy optimisation (Schulman et al., 2017) in the instance's own simulation.

It stops once its greedy policy has balanced all validation starts to the end twice in a row.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, optim

from harness.api import Array, Arrays, Session, Splits
from workloads.data.cartpole import (
    EPISODE_STEPS,
    Dynamics,
    ended,
    moved,
    observed,
    play,
    start_states,
)

ROLLOUTS = 100
WORLDS, LENGTH = 16, 64
PASSES, BATCH_SIZE = 4, 256
LEARNING_RATE = 2e-3
LAST_RATE_RATIO, FALLING_ROLLOUTS = 0.1, 60
"""Share of the rate that is left, and rollouts over which it falls there."""
DISCOUNT, TRACE = 0.99, 0.97
CLIP = 0.2
TRIAL_EVERY = 4
"""Rollouts between two trials."""
VALUE_WEIGHT = 0.5


class Rollout(NamedTuple):
    """One stretch of all worlds, rows in the order of time and world."""

    x: Tensor
    action: Tensor
    log_probability: Tensor
    advantage: Tensor
    gain: Tensor


class Worlds:
    """Poles that begin again when they fall or have stood for 500 steps."""

    def __init__(self, session: Session) -> None:
        self._draws = np.random.default_rng(session.seed)
        self._dynamics = Dynamics(*session.train["dynamics"][0].tolist())
        self._mixing = np.array(session.train["mixing"][0])
        self._states = start_states(self._draws, WORLDS)
        self._age = np.zeros(WORLDS, dtype=np.int64)

    def seen(self) -> Tensor:
        """Observations (worlds, 4)."""
        return torch.from_numpy(observed(self._states, self._mixing))

    def push(self, right: Array) -> Array:
        """Move all; whether each one's episode ended with it."""
        self._states = moved(self._states, right, self._dynamics)
        self._age += 1
        over = ended(self._states) | (self._age >= EPISODE_STEPS)
        self._states[over] = start_states(self._draws, int(over.sum()))
        self._age[over] = 0
        return over


def train(session: Session) -> None:
    """Train under a linearly falling rate until two trials in a row are perfect."""
    torch.manual_seed(session.seed)
    model: Any = session.workload.model()
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, LAST_RATE_RATIO, FALLING_ROLLOUTS)
    worlds = Worlds(session)
    perfect = 0
    for step in range(1, ROLLOUTS + 1):
        _improve(model, optimizer, _roll(model, worlds))
        schedule.step()
        if step % TRIAL_EVERY == 0:
            perfect = perfect + 1 if _trial(model, session) == EPISODE_STEPS else 0
        if step == ROLLOUTS or perfect == 2 or session.snapshot_due():
            session.snapshot(model, step=step)
        if perfect == 2:
            return


def _improve(model: Any, optimizer: optim.Optimizer, rollout: Rollout) -> None:
    for _ in range(PASSES):
        for rows in torch.randperm(WORLDS * LENGTH).split(BATCH_SIZE):
            loss = _loss(model, Rollout(*(item[rows] for item in rollout)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.no_grad()
def _trial(model: Any, session: Session) -> float:
    """Steps that the worst of the validation starts lasts under the greedy policy."""
    starts = session.validation["start"]
    known = {name: np.repeat(item, len(starts), axis=0) for name, item in session.train.items()}
    episodes = Splits(
        train={}, validation={}, test_inputs={"start": starts, **known}, test_labels={}
    )

    def ask(inputs: Arrays) -> Array:
        return np.asarray(model(torch.from_numpy(inputs["x"])))

    return float(play(episodes, ask).min())


@torch.no_grad()
def _roll(model: Any, worlds: Worlds) -> Rollout:
    seen, actions, chances, values, overs = [], [], [], [], []
    for _ in range(LENGTH):
        x = worlds.seen()
        scores, value = model.both(x)
        shares = scores.log_softmax(dim=1)
        action = (torch.rand(WORLDS) < shares[:, 1].exp()).long()
        over = worlds.push(action.numpy() == 1)
        seen.append(x)
        actions.append(action)
        chances.append(shares.gather(1, action[:, None])[:, 0])
        values.append(value)
        overs.append(torch.from_numpy(over))
    values.append(model.both(worlds.seen())[1])
    advantage = advantages(torch.stack(values), torch.stack(overs))
    gain = advantage + torch.stack(values[:-1])
    standard = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    parts = [torch.stack(item) for item in (seen, actions, chances)]
    return Rollout(*(item.flatten(0, 1) for item in (*parts, standard, gain)))


def advantages(values: Tensor, overs: Tensor) -> Tensor:
    """Generalised advantages (time, worlds) in units of endless standing; a fallen pole is worth 0.

    `values` is (time + 1, worlds), `overs` (time, worlds).
    """
    going = (~overs).float()
    result = torch.zeros_like(going)
    later = torch.zeros(values.shape[1])
    for t in reversed(range(len(overs))):
        surprise = (1 - DISCOUNT) + DISCOUNT * going[t] * values[t + 1] - values[t]
        later = surprise + DISCOUNT * TRACE * going[t] * later
        result[t] = later
    return result


def _loss(model: Any, batch: Rollout) -> Tensor:
    scores, value = model.both(batch.x)
    chance = scores.log_softmax(dim=1).gather(1, batch.action[:, None])[:, 0]
    ratio = (chance - batch.log_probability).exp()
    kept = ratio.clamp(1 - CLIP, 1 + CLIP)
    policy = torch.minimum(ratio * batch.advantage, kept * batch.advantage).mean()
    error: Tensor = (value - batch.gain).square().mean()
    return VALUE_WEIGHT * error - policy
