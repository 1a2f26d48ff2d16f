"""Keyword spotting by AdamW under one cycle, sounds moved by up to 0.1 s (unverified)."""

import numpy as np
import torch
from torch import Tensor, optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 30
BATCH_SIZE = 256
LEARNING_RATE, DECAY = 5e-3, 0.05
SHIFT = 1600
"""Samples, 0.1 s."""


def moved(sounds: Tensor) -> Tensor:
    """Each sound moved by up to 0.1 s, silence in the gap."""
    rows, length = sounds.shape
    padded = functional.pad(sounds, (SHIFT, SHIFT))
    starts = torch.randint(0, 2 * SHIFT + 1, (rows, 1), device=sounds.device)
    return padded.gather(1, starts + torch.arange(length, device=sounds.device))


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    model = session.workload.model().to(device)
    batches = -(-len(session.train["y"]) // BATCH_SIZE)
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * batches, pct_start=0.2
    )
    rows = session.batches("train", BATCH_SIZE, EPOCHS)
    for step, batch in enumerate(rows, 1):
        sounds = torch.from_numpy(np.ascontiguousarray(batch["x"])).to(device)
        truth = torch.from_numpy(batch["y"]).to(device)
        loss = functional.cross_entropy(model(moved(sounds)), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % batches == 0:
            session.log(step, loss=loss.item())
            if step == EPOCHS * batches or session.snapshot_due():
                session.snapshot(model, step=step)
