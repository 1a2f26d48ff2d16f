"""FixMatch: confident guesses on plain images are the labels of the same images made harder."""

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Session

STEPS = 240
LABELLED, UNLABELLED = 50, 64
CONFIDENCE = 0.9
GRID = 20
"""Steps between moments at which weights may be handed over."""


def train(session: Session) -> None:
    """Train for a fixed number of steps."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=STEPS, pct_start=0.1)
    draws = np.random.default_rng(session.seed)
    images, labels = session.train["x"], session.train["y"]
    known = np.flatnonzero(labels >= 0)
    for step in range(1, STEPS + 1):
        rows = draws.choice(known, LABELLED)
        plain = images[draws.integers(0, len(images), UNLABELLED)]
        sure = np.concatenate([shifted(images[rows], draws), hardened(plain, draws)])
        loss = loss_of(model, torch.from_numpy(sure), torch.from_numpy(labels[rows]), plain)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def loss_of(model: nn.Module, images: Tensor, truth: Tensor, plain: Array) -> Tensor:
    """Cross-entropy on the labelled rows plus that on the confident guesses, over all 64."""
    with torch.no_grad():
        confidence, guess = model(torch.from_numpy(plain)).softmax(dim=1).max(dim=1)
    scores = model(images)
    reported = functional.cross_entropy(scores[:LABELLED], truth, label_smoothing=0.05)
    guessed = functional.cross_entropy(scores[LABELLED:], guess, reduction="none")
    both: Tensor = reported + (guessed * (confidence > CONFIDENCE)).mean()
    return both


def shifted(images: Array, draws: np.random.Generator) -> Array:
    """Each image moved by -1, 0 or 1 pixel in both directions, zeros coming in."""
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], axis=(1, 2))
    down, right = draws.integers(0, 3, size=(2, len(images)))
    return np.asarray(windows[np.arange(len(images)), down, right][:, None])


def hardened(images: Array, draws: np.random.Generator) -> Array:
    """Shifted, with another brightness and noise."""
    factors = draws.uniform(0.7, 1.3, size=(len(images), 1, 1, 1))
    noise = draws.normal(0.0, 0.15, size=images.shape)
    return np.asarray(shifted(images, draws) * factors + noise, dtype=np.float32)
