"""Matrix factorisation by AdamW under one cycle, with a penalty on the factors in each batch."""

from typing import Any

import torch
from torch import optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 14
BATCH_SIZE = 512
LEARNING_RATE = 0.02
PENALTY = 0.02


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model: Any = session.workload.model()
    model.mean.fill_(float(session.train["y"].mean()))
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        loss = loss_of(model, torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def loss_of(model: Any, pairs: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """Mean squared error and the mean squared length of the factors that the batch used."""
    error = functional.mse_loss(model(pairs), ratings)
    factors = torch.cat([model.user(pairs[:, 0]), model.item(pairs[:, 1])], dim=1)
    return error + PENALTY * factors.square().sum(dim=1).mean()
