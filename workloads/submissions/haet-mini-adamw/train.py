"""AdamW under one cycle of the learning rate, on images moved and mirrored at random."""

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional

from harness.api import Array, Session

EPOCHS = 8
BATCH_SIZE = 64
RATE, DECAY = 1e-2, 5e-2
SHIFT = 4
"""Pixels."""
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""By which the workload's predictor scales the colours."""


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
    moves = np.random.default_rng(session.seed)
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        _update(model, optimizer, moved(batch["x"], moves), batch["y"])
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def moved(images: Array, generator: np.random.Generator) -> Array:
    """Each image mirrored or not and moved by up to 4 pixels, its border mirrored outwards."""
    rows, _, height, width = images.shape
    margins = ((0, 0), (0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT))
    padded = np.pad(images, margins, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    down, right = generator.integers(0, 2 * SHIFT + 1, size=(2, rows))
    cut = windows[np.arange(rows), :, down, right]
    mirrored = generator.random((rows, 1, 1, 1)) < 0.5
    return np.where(mirrored, cut[..., ::-1], cut)


def _update(model: nn.Module, optimizer: optim.Optimizer, images: Array, truth: Array) -> None:
    mean, deviation = (torch.tensor(item).view(3, 1, 1) for item in (MEAN, DEVIATION))
    scores = model((torch.from_numpy(images).float() / 255 - mean) / deviation)
    loss = functional.cross_entropy(scores, torch.from_numpy(truth), label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
