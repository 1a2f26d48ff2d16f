"""Spiking digits by AdamW under one cycle, channels moved a little (unverified).

Spikes of an utterance are moved together by some channels, after Cramer et al. (2022).
"""

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 60
BATCH_SIZE = 128
LEARNING_RATE, DECAY = 2e-3, 0.01
SHIFT = 20
"""Channels."""


def moved(counts: Tensor) -> Tensor:
    """Each utterance moved by up to 20 channels; what leaves at an end is lost."""
    rows, bins, units = counts.shape
    padded = functional.pad(counts, (SHIFT, SHIFT))
    starts = torch.randint(0, 2 * SHIFT + 1, (rows, 1, 1), device=counts.device)
    places = starts + torch.arange(units, device=counts.device)
    return padded.gather(2, places.expand(rows, bins, units))


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    model = session.workload.model().to(device)
    batches = -(-len(session.train["y"]) // BATCH_SIZE)
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * batches, pct_start=0.1
    )
    rows = session.batches("train", BATCH_SIZE, EPOCHS)
    for step, batch in enumerate(rows, 1):
        counts = torch.from_numpy(np.ascontiguousarray(batch["x"])).to(device).float()
        truth = torch.from_numpy(batch["y"]).to(device)
        loss = functional.cross_entropy(model(moved(counts)), truth)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % batches == 0:
            session.log(step, loss=loss.item())
            if step == EPOCHS * batches or session.snapshot_due():
                session.snapshot(model, step=step)
