"""AdamW under one cycle of the learning rate, on images shifted by up to one pixel."""

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Session

EPOCHS = 12
BATCH_SIZE = 64


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps, pct_start=0.2)
    shifts = np.random.default_rng(session.seed)
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        images = torch.from_numpy(shifted(batch["x"], shifts))
        _update(model, optimizer, images, torch.from_numpy(batch["y"]))
        schedule.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def shifted(images: Array, generator: np.random.Generator) -> Array:
    """Each image moved by -1, 0 or 1 pixel in both directions, zeros coming in."""
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], axis=(1, 2))
    down, right = generator.integers(0, 3, size=(2, len(images)))
    return np.asarray(windows[np.arange(len(images)), down, right][:, None])


def _update(model: nn.Module, optimizer: optim.Optimizer, images: Tensor, truth: Tensor) -> None:
    loss = functional.cross_entropy(model(images), truth, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
