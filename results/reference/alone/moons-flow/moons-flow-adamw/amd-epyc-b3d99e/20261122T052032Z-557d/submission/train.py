"""Flow matching by AdamW under one cycle of the learning rate."""

import torch
from torch import optim

from harness.api import Session
from workloads.models.flow import flow_loss

STEPS = 1500
BATCH_SIZE = 256
LEARNING_RATE = 3e-3
GRID = 50
"""Steps between moments at which weights may be handed over."""


def train(session: Session) -> None:
    """Train for a fixed number of steps on rows drawn with replacement."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1
    )
    points = torch.tensor(session.train["x"])
    draws = torch.Generator().manual_seed(session.seed)
    for step in range(1, STEPS + 1):
        rows = torch.randint(len(points), (BATCH_SIZE,), generator=draws)
        loss = flow_loss(model, points[rows], draws)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)
