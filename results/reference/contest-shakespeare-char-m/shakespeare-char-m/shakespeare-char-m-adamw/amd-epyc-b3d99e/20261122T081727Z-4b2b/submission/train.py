"""AdamW with warm-up, a plateau and a linear decay, on windows at random places of the text."""

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional

from harness.api import Session

STEPS = 600
WARM_UP = 60
BATCH_SIZE = 32
GRID = 25
"""Steps between moments at which weights may be handed over."""


def train(session: Session) -> None:
    """Train for a fixed number of steps, or until the budget ends."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    window = session.workload.outputs.shape[0]
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, _share)
    text = torch.from_numpy(session.train["x"].astype(np.int64))
    places = np.random.default_rng(session.seed)
    for step in range(1, STEPS + 1):
        starts = places.integers(0, len(text) - window, size=BATCH_SIZE)
        rows = torch.stack([text[start : start + window + 1] for start in starts.tolist()])
        _update(model, optimizer, rows)
        schedule.step()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def _update(model: nn.Module, optimizer: optim.Optimizer, rows: torch.Tensor) -> None:
    scores = model(rows[:, :-1])
    loss = functional.cross_entropy(scores.flatten(0, 1), rows[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def _share(step: int) -> float:
    """Of the full rate: up over the first steps, flat to the middle, then down to a twentieth."""
    return min((step + 1) / WARM_UP, 1 - 0.95 * max(0.0, 2 * step / STEPS - 1))
