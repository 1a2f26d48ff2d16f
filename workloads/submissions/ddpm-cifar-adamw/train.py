"""Denoising diffusion by AdamW; an average of the weights is handed over (unverified).

Rate and simple loss after Ho et al. (2020), average with a shorter memory.
"""

import copy

import numpy as np
import torch
from torch import Tensor, nn, optim

from harness.api import Session
from workloads.models.unet import denoising_loss

STEPS = 200_000
WARM_UP = 2_000
BATCH_SIZE = 128
LEARNING_RATE = 2e-4
MEMORY = 0.999
"""Share of the average that is kept at each step, once there are enough of them."""
GRID = 1_000
"""Steps between moments at which weights may be handed over."""


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the average by a step towards the weights; the first steps move it farther."""
    kept = min(MEMORY, step / (step + 10))
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - kept)


def _images(session: Session, places: np.random.Generator, device: str) -> Tensor:
    """Drawn images of -1 to 1, half of them mirrored."""
    chosen = places.integers(0, len(session.train["x"]), size=BATCH_SIZE)
    images = torch.from_numpy(session.train["x"][chosen]).to(device).float() / 127.5 - 1
    turned = torch.rand(BATCH_SIZE, 1, 1, 1, device=device) < 0.5
    return torch.where(turned, images.flip(-1), images)


def train(session: Session) -> None:
    """Train for a fixed number of steps on images drawn with replacement."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    model = session.workload.model().to(device)
    average = copy.deepcopy(model)
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda at: min(1.0, (at + 1) / WARM_UP))
    places = np.random.default_rng(session.seed)
    for step in range(1, STEPS + 1):
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = denoising_loss(model, _images(session, places, device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        follow(average, model, step)
        if step % GRID == 0 or step == STEPS:
            session.log(step, loss=loss.item())
            if step == STEPS or session.snapshot_due():
                session.snapshot(average, step=step)
