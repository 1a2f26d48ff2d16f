"""AdamW with strong decay and a linearly falling rate, on all labelled nodes at once."""

import torch
from torch import optim
from torch.nn import functional

from harness.api import Session

STEPS = 80
LEARNING_RATE = 0.02
GRID = 5
"""Steps between moments at which weights may be handed over."""


def train(session: Session) -> None:
    """Train for a fixed number of steps."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.5)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=STEPS)
    x, weight, truth = (torch.tensor(session.train[name]) for name in ("x", "weight", "y"))
    for step in range(1, STEPS + 1):
        loss = functional.cross_entropy(model(x, weight), truth, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)
