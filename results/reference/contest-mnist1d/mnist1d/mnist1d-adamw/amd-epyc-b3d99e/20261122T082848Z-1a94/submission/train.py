"""AdamW under one cycle of the learning rate, labels smoothed."""

import torch
from torch import nn, optim
from torch.nn import functional

from harness.api import Array, Session

EPOCHS = 2
BATCH_SIZE = 64
SNAPSHOT_STEPS = 125
RATE, DECAY = 5e-3, 1e-2


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights where they may count."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    steps = EPOCHS * -(-len(session.train["y"]) // BATCH_SIZE)
    optimizer = optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        _update(model, optimizer, batch)
        schedule.step()
        if step == steps or (step % SNAPSHOT_STEPS == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def _update(model: nn.Module, optimizer: optim.Optimizer, batch: dict[str, Array]) -> None:
    scores = model(torch.from_numpy(batch["x"]))
    loss = functional.cross_entropy(scores, torch.from_numpy(batch["y"]), label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
