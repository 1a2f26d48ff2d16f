"""Plain image classification: SGD with momentum, one cycle, crops and mirrors (unverified).

The ImageNet figures are those of ffcv's published recipes (G. Leclerc and others, 2022).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Session


class Recipe(NamedTuple):
    """What differs from set to set."""

    epochs: int
    batch_size: int
    rate: float
    decay: float
    shift: int
    """Pixels by which a crop may be moved."""
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


CIFAR = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RECIPES = {
    "cifar10-94": Recipe(20, 512, 0.4, 5e-4, 4, *CIFAR),
    "cifar10-96": Recipe(60, 512, 0.4, 5e-4, 4, *CIFAR),
    "haet-2021": Recipe(100, 128, 0.1, 1e-3, 4, *CIFAR),
    "imagenet-rn18": Recipe(16, 1024, 2.0, 5e-5, 8, *IMAGENET),
    "imagenet-rn50": Recipe(18, 512, 1.0, 1e-4, 8, *IMAGENET),
}
MOMENTUM, SMOOTHING, WARM_UP_SHARE = 0.9, 0.1, 0.15


def varied(images: Tensor, shift: int) -> Tensor:
    """Each image mirrored or not, moved by up to `shift` pixels, its border mirrored outwards."""
    rows, _, height, width = images.shape
    device = images.device
    padded = functional.pad(images, (shift,) * 4, mode="reflect")
    down, right = torch.randint(0, 2 * shift + 1, (2, rows, 1), device=device)
    columns = right + torch.arange(width, device=device)
    turned = torch.rand(rows, 1, device=device) < 0.5
    columns = torch.where(turned, columns.flip(1), columns)
    lines = down + torch.arange(height, device=device)
    picked = padded.permute(0, 2, 3, 1)[
        torch.arange(rows, device=device)[:, None, None], lines[:, :, None], columns[:, None, :]
    ]
    return picked.permute(0, 3, 1, 2)


def _optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": recipe.decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.SGD(groups, lr=recipe.rate, momentum=MOMENTUM, nesterov=True)


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    recipe = RECIPES[session.workload.name]
    model = session.workload.model().to(device)
    mean, deviation = (
        torch.tensor(item, device=device).view(3, 1, 1) for item in (recipe.mean, recipe.deviation)
    )
    batches = -(-len(session.train["y"]) // recipe.batch_size)
    steps = batches * recipe.epochs
    optimizer = _optimizer(model, recipe)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=steps, pct_start=WARM_UP_SHARE, cycle_momentum=False
    )
    rows = session.batches("train", recipe.batch_size, recipe.epochs)
    for step, batch in enumerate(rows, 1):
        pixels = torch.from_numpy(np.ascontiguousarray(batch["x"])).to(device).float() / 255
        truth = torch.from_numpy(batch["y"]).to(device)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            scores = model(varied((pixels - mean) / deviation, recipe.shift))
            loss = functional.cross_entropy(scores, truth, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % batches == 0:
            session.log(step, loss=loss.item())
            if step == steps or session.snapshot_due():
                session.snapshot(model, step=step)
