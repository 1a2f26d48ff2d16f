"""GPT-2 on bytes by AdamW with a cosine, about ten passes over the text (unverified)."""

import math

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Session

STEPS = 8_000
WARM_UP = 300
ROWS, PIECES = 64, 1
"""Windows in a forward pass, and passes in a step."""
LEARNING_RATE, LAST_SHARE, DECAY = 6e-4, 0.1, 0.1
GRID = 100
"""Steps between moments at which weights may be handed over."""


def share(step: int) -> float:
    """Of the full rate: straight up, then half a cosine down to a tenth."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    done = min(1.0, (step - WARM_UP) / max(1, STEPS - WARM_UP))
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * done)) / 2


def windows(text: Array, window: int, places: np.random.Generator, device: str) -> Tensor:
    """Drawn windows and the symbol after each, int64 (rows, window + 1)."""
    starts = places.integers(0, len(text) - window, size=ROWS)
    rows = np.stack([text[start : start + window + 1] for start in starts.tolist()])
    return torch.from_numpy(rows.astype(np.int64)).to(device)


def _optimizer(model: nn.Module) -> optim.Optimizer:
    weights = list(model.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": DECAY},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.95))


def train(session: Session) -> None:
    """Train for a fixed number of steps on windows drawn from the stream."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    model = session.workload.model().to(device)
    optimizer = _optimizer(model)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, share)
    text, window = session.train["x"], session.workload.outputs.shape[0]
    places = np.random.default_rng(session.seed)
    for step in range(1, STEPS + 1):
        for _ in range(PIECES):
            rows = windows(text, window, places, device)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                scores = model(rows[:, :-1])
            loss = functional.cross_entropy(scores.float().flatten(0, 1), rows[:, 1:].flatten())
            (loss / PIECES).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % GRID == 0 or step == STEPS:
            session.log(step, loss=loss.item())
            if step == STEPS or session.snapshot_due():
                session.snapshot(model, step=step)
