"""Symmetric equilibrium propagation: gradients from two nudged states, no backward pass."""

from typing import Any

import torch
from torch import Tensor, optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 20
BATCH_SIZE = 32
RATE, DECAY = 5e-3, 1e-2
FREE_STEPS, NUDGED_STEPS = 20, 8
NUDGE = 1.0
"""Strength with which outputs are pulled to the truth, then pushed from it."""


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model: Any = session.workload.model()
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        truth = functional.one_hot(torch.from_numpy(batch["y"]), 10).float()
        estimate(model, torch.from_numpy(batch["x"]), truth)
        optimizer.step()
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


@torch.no_grad()
def estimate(model: Any, x: Tensor, truth: Tensor) -> None:
    """Set the gradients of half the squared error, from states nudged both ways.

    The difference of the energies' gradients over twice the nudge (Laborieux et al., 2021).
    """
    free = model.settle(x, model.rest(x), FREE_STEPS)
    h, o = model.settle(x, free, NUDGED_STEPS, truth, NUDGE)
    g, p = model.settle(x, free, NUDGED_STEPS, truth, -NUDGE)
    share = -1 / (2 * NUDGE * len(x))
    model.first.weight.grad = share * (h - g).T @ x
    model.first.bias.grad = share * (h - g).sum(0)
    model.second.weight.grad = share * (o.T @ h - p.T @ g)
    model.second.bias.grad = share * (o - p).sum(0)
