"""Muon on the matrices of the blocks, AdamW on all else; the rate falls over the latter half."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Session

STEPS = 280
WARM_UP = 28
BATCH_SIZE = 32
GRID = 25
"""Steps between moments at which weights may be handed over."""
MUON_RATE, MUON_DECAY, MOMENTUM = 0.02, 0.05, 0.95
ADAMW_RATE = 3e-3


class Muon(optim.Optimizer):
    """Momentum whose update is made semi-orthogonal (Keller Jordan, 2024)."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One Nesterov step with decoupled weight decay."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                self._move(weight, group["lr"])

    def _move(self, weight: Tensor, rate: float) -> None:
        if weight.grad is None:
            return
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.mul_(MOMENTUM).add_(weight.grad)
        update = orthogonalized(weight.grad + MOMENTUM * momentum)
        weight.mul_(1 - rate * MUON_DECAY)
        weight.sub_(update, alpha=rate * max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Nearly the semi-orthogonal matrix nearest to this one, by five Newton-Schulz steps."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x: Tensor = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if wide is matrix else x.T


def train(session: Session) -> None:
    """Train for a fixed number of steps."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizers = _optimizers(model)
    schedules = [optim.lr_scheduler.LambdaLR(item, _share) for item in optimizers]
    window = session.workload.outputs.shape[0]
    text = torch.from_numpy(session.train["x"].astype(np.int64))
    places = np.random.default_rng(session.seed)
    for step in range(1, STEPS + 1):
        starts = places.integers(0, len(text) - window, size=BATCH_SIZE)
        rows = torch.stack([text[start : start + window + 1] for start in starts.tolist()])
        scores = model(rows[:, :-1])
        functional.cross_entropy(scores.flatten(0, 1), rows[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        model.zero_grad()
        if step == STEPS or (step % GRID == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def _optimizers(model: nn.Module) -> list[optim.Optimizer]:
    named = model.named_parameters()
    matrices = [item for name, item in named if item.ndim == 2 and name.startswith("blocks.")]
    chosen = {id(matrice) for matrice in matrices}
    others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    adamw = optim.AdamW(others, lr=ADAMW_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    return [Muon(matrices, MUON_RATE), adamw]


def _share(step: int) -> float:
    """Of the full rate: up over the first steps, flat to the middle, then down to a twentieth."""
    return min((step + 1) / WARM_UP, 1 - 0.95 * max(0.0, 2 * step / STEPS - 1))
