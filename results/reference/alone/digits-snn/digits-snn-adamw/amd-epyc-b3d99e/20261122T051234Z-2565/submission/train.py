"""AdamW under one cycle through a surrogate gradient; says how often its neurons spike."""

from typing import Any

import torch
from torch import optim
from torch.nn import functional

from harness.api import Array, Session

EPOCHS = 15
BATCH_SIZE = 64


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model: Any = session.workload.model()
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.2)
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        _update(model, optimizer, batch)
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.log(step, spike_rate=model.spike_rate)
            session.snapshot(model, step=step)


def _update(model: Any, optimizer: optim.Optimizer, batch: dict[str, Array]) -> None:
    scores = model(torch.from_numpy(batch["x"]))
    loss = functional.cross_entropy(scores, torch.from_numpy(batch["y"]), label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
