"""AdamW under one cycle of the learning rate, its loss on the answers alone."""

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional

from harness.api import Session

STEPS = 400
BATCH_SIZE = 64
GRID = 20
"""Steps between moments at which weights may be handed over."""


def train(session: Session) -> None:
    """Train for a fixed number of steps on rows drawn with replacement."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS, pct_start=0.1)
    x, y = (torch.tensor(session.train[name]) for name in ("x", "y"))
    draws = np.random.default_rng(session.seed)
    for step in range(1, STEPS + 1):
        rows = torch.from_numpy(draws.integers(0, len(x), size=BATCH_SIZE))
        _update(model, optimizer, x[rows], y[rows])
        schedule.step()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def _update(
    model: nn.Module, optimizer: optim.Optimizer, tokens: torch.Tensor, following: torch.Tensor
) -> None:
    scores = model(tokens).flatten(0, 1)
    loss = functional.cross_entropy(scores, following.flatten(), ignore_index=-1)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
