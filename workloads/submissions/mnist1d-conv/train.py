"""Three convolutions over time under AdamW: a model family that fits curves that are moved."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Session, WorkloadSpec

STEPS = 375
BATCH_SIZE = 64
SNAPSHOT_STEPS = 125
RATE, DECAY = 2e-2, 1e-2
PREDICTED_ROWS = 1_000
"""At once: activations of all hidden rows would not fit into a processor's cache."""
WIDTH = 25
"""Channels, as in the paper's net."""


class CurveNet(nn.Module):
    """Convolutions of stride 2 with ReLU between them, then one linear layer."""

    def __init__(self, length: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, WIDTH, 5, 2, 1), nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 3, 2, 1), nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 3, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(WIDTH * -(-length // 8), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, length) to scores (batch, classes)."""
        scores: Tensor = self.head(self.features(x[:, None]).flatten(1))
        return scores


def train(session: Session) -> None:
    """Train for a fixed number of steps, and hand the weights over where they may count."""
    torch.manual_seed(session.seed)
    x = session.train["x"]
    model = CurveNet(x.shape[1], session.workload.outputs.shape[0])
    optimizer = optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.2)
    batches = islice(session.batches("train", BATCH_SIZE), STEPS)
    for step, batch in enumerate(batches, start=1):
        scores = model(torch.from_numpy(batch["x"]))
        loss = functional.cross_entropy(scores, torch.from_numpy(batch["y"]), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == STEPS or (step % SNAPSHOT_STEPS == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)


def predictor(
    weights: Mapping[str, Any], workload: WorkloadSpec
) -> Callable[[dict[str, Array]], Array]:
    """The same net with the weights that were handed over."""
    model: CurveNet | None = None

    @torch.inference_mode()
    def predict(inputs: dict[str, Array]) -> Array:
        nonlocal model
        if model is None:
            model = CurveNet(inputs["x"].shape[1], workload.outputs.shape[0])
            state = {name: torch.tensor(np.asarray(item)) for name, item in weights.items()}
            model.load_state_dict(state)
        rows = torch.from_numpy(np.array(inputs["x"])).split(PREDICTED_ROWS)
        scores: Array = torch.cat([model(row) for row in rows]).numpy()
        return scores

    return predict
