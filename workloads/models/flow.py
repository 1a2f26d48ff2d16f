"""Flows that carry noise to data along straight paths, and the sampling from them."""

from itertools import pairwise

import torch
from torch import Tensor, nn

SAMPLING_STEPS = 40


class Flow(nn.Module):
    """A perceptron with SiLU that gives the velocity at a point and a time."""

    frequencies: Tensor

    def __init__(self, *, size: int, hidden: tuple[int, ...], waves: int = 0) -> None:
        """`waves`: sines and cosines of that many frequencies, 1 to e^4, tell the time if any."""
        super().__init__()
        self.register_buffer("frequencies", torch.linspace(0, 4, waves).exp(), persistent=False)
        features = 2 * waves if waves else 1
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((size + features, *hidden, size)):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def _clock(self, t: Tensor) -> Tensor:
        if not len(self.frequencies):
            return t[:, None]
        angles = t[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Float32 (batch, size) at times (batch,) in [0, 1] to velocities (batch, size)."""
        velocity: Tensor = self.layers(torch.cat([x, self._clock(t)], dim=1))
        return velocity


def sample(model: nn.Module, noise: Tensor) -> Tensor:
    """Where 40 Euler steps take standard normal noise (batch, size), t at each step's middle."""
    x = noise
    for step in range(SAMPLING_STEPS):
        t = torch.full((len(x),), (step + 0.5) / SAMPLING_STEPS)
        x = x + model(x, t) / SAMPLING_STEPS
    return x


def flow_loss(model: nn.Module, data: Tensor, generator: torch.Generator) -> Tensor:
    """Mean squared error of the velocity on straight paths from normal noise (flow matching).

    x_t = (1 - t) x_0 + t x_1 with t uniform has the velocity x_1 - x_0: Lipman et al., 2023.
    """
    noise = torch.randn(data.shape, generator=generator)
    t = torch.rand(len(data), generator=generator)
    between = torch.lerp(noise, data, t[:, None])
    error: Tensor = (model(between, t) - (data - noise)).square().mean()
    return error
