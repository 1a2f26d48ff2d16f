"""Airbench-class CIFAR-10: patch whitening, Muon on filters, alternating flips (unverified)."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 8
BATCH_SIZE = 2000
WHITENING_IMAGES = 5000
WHITENING_EPSILON = 5e-4
WHITENING_BIAS_EPOCHS = 3
"""Epochs after which the first layer's bias no longer moves."""
MUON_RATE, MUON_MOMENTUM = 0.24, 0.6
BIAS_RATE, HEAD_RATE, MOMENTUM = 0.053, 0.67, 0.85
DECAY = 2e-6 * BATCH_SIZE
"""Of biases and head, as a share of the weight for each unit of learning rate."""
SMOOTHING = 0.2
SHIFT = 2
"""Pixels."""
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Muon(optim.Optimizer):
    """Momentum whose update is made semi-orthogonal, filters held at a fixed norm."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One Nesterov step."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                self._move(weight, group["lr"])

    def _move(self, weight: Tensor, rate: float) -> None:
        if weight.grad is None:
            return
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.mul_(MUON_MOMENTUM).add_(weight.grad)
        update = weight.grad + MUON_MOMENTUM * momentum
        weight.mul_(len(weight) ** 0.5 / weight.norm())
        weight.sub_(orthogonalized(update.flatten(1)).view_as(weight), alpha=rate)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Nearly the semi-orthogonal matrix nearest to this one, by three Newton-Schulz steps."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x: Tensor = wide / (wide.norm() + 1e-7)
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if wide is matrix else x.T


def whitening_filters(images: Tensor, side: int) -> Tensor:
    """Eigenvectors of the patches' covariance, scaled to unit variance, and their negatives.

    Args:
        images: Float32 (rows, 3, height, width).
        side: Pixels of a patch's side.

    Returns:
        (2 x 3 x side^2, 3, side, side).
    """
    patches = functional.unfold(images, side).transpose(1, 2).flatten(0, 1)
    covariance = patches.T @ patches / len(patches)
    values, vectors = torch.linalg.eigh(covariance)
    filters = (vectors / torch.sqrt(values + WHITENING_EPSILON)).T.flip(0)
    filters = filters.reshape(-1, images.shape[1], side, side)
    return torch.cat([filters, -filters])


def alternating_flips(images: Tensor, epoch: int) -> Tensor:
    """Half of the images mirrored, the other half in the next epoch.

    A drawn order of all images comes first, so that which half is which depends on the seed.
    """
    even = torch.arange(len(images), device=images.device) % 2 == epoch % 2
    return torch.where(even.view(-1, 1, 1, 1), images.flip(-1), images)


def shifted(images: Tensor) -> Tensor:
    """Each image moved by up to two pixels in both directions, its border mirrored outwards."""
    rows, _, height, width = images.shape
    padded = functional.pad(images, (SHIFT,) * 4, mode="reflect")
    out = torch.empty_like(images)
    moves = torch.randint(0, 2 * SHIFT + 1, (rows, 2), device=images.device)
    for down in range(2 * SHIFT + 1):
        for right in range(2 * SHIFT + 1):
            chosen = (moves[:, 0] == down) & (moves[:, 1] == right)
            out[chosen] = padded[chosen, :, down : down + height, right : right + width]
    return out


def _optimizers(model: nn.Module) -> list[optim.Optimizer]:
    named = {name: item for name, item in model.named_parameters() if item.requires_grad}
    filters = [item for item in named.values() if item.ndim == 4]
    head = [item for item in named.values() if item.ndim == 2]
    biases = [item for item in named.values() if item.ndim == 1]
    groups = [
        {"params": biases, "lr": BIAS_RATE, "weight_decay": DECAY / BIAS_RATE},
        {"params": head, "lr": HEAD_RATE, "weight_decay": DECAY / HEAD_RATE},
    ]
    return [Muon(filters, MUON_RATE), optim.SGD(groups, momentum=MOMENTUM, nesterov=True)]


def _data(session: Session, device: str) -> tuple[Tensor, Tensor]:
    """Training and validation images, normalised, in an order drawn from the seed."""
    parts = (session.train, session.validation)
    images = torch.from_numpy(np.concatenate([part["x"] for part in parts])).to(device)
    labels = torch.from_numpy(np.concatenate([part["y"] for part in parts])).to(device)
    mean, deviation = (
        torch.tensor(item, device=device).view(3, 1, 1) for item in (MEAN, DEVIATION)
    )
    order = torch.randperm(len(labels), device=device)
    return (images[order].float() / 255 - mean) / deviation, labels[order]


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    images, labels = _data(session, device)
    model = session.workload.model().to(device)
    first = model.whitening
    assert isinstance(first, nn.Conv2d)
    with torch.no_grad():
        first.weight.copy_(whitening_filters(images[:WHITENING_IMAGES], first.kernel_size[0]))
    optimizers = _optimizers(model)
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    batches = max(1, len(labels) // BATCH_SIZE)
    for epoch in range(EPOCHS):
        if epoch == WHITENING_BIAS_EPOCHS and first.bias is not None:
            first.bias.requires_grad = False
        pixels = shifted(alternating_flips(images, epoch))
        order = torch.randperm(len(labels), device=device)
        for number, chosen in enumerate(order.chunk(batches)):
            left = 1 - (epoch * batches + number) / (EPOCHS * batches)
            for item, starts in zip(optimizers, rates, strict=True):
                for group, start in zip(item.param_groups, starts, strict=True):
                    group["lr"] = start * left
            _update(model, optimizers, pixels[chosen], labels[chosen])
        if epoch == EPOCHS - 1 or session.snapshot_due():
            session.snapshot(model, step=(epoch + 1) * batches)


def _update(
    model: nn.Module, optimizers: list[optim.Optimizer], images: Tensor, truth: Tensor
) -> None:
    loss = functional.cross_entropy(model(images), truth, label_smoothing=SMOOTHING)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
