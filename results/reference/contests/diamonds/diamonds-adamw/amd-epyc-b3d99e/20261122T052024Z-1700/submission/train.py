"""AdamW under one cycle of the learning rate."""

import torch
from torch import optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 12
BATCH_SIZE = 256
LEARNING_RATE = 4e-3


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        loss = functional.mse_loss(
            model(torch.from_numpy(batch["x"])), torch.from_numpy(batch["y"])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)
