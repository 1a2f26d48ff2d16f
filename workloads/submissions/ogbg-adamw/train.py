"""Molecules by AdamW under one cycle; missing labels have no loss (unverified)."""

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Session
from workloads.models.graph_network import PARTS, Batch

EPOCHS = 60
BATCH_SIZE = 512
LEARNING_RATE, DECAY = 1e-3, 0.01


def known_loss(scores: Tensor, truth: Tensor) -> Tensor:
    """Mean cross-entropy over the assays whose result is known."""
    known = truth >= 0
    return functional.binary_cross_entropy_with_logits(scores[known], truth[known].float())


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
    for step, arrays in enumerate(rows, 1):
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(item)).to(device)
            for name, item in arrays.items()
        }
        molecules = Batch(*(tensors[name] for name in PARTS))
        loss = known_loss(model(molecules), tensors["y"])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % batches == 0:
            session.log(step, loss=loss.item())
            if step == EPOCHS * batches or session.snapshot_due():
                session.snapshot(model, step=step)
