"""Leaky integrate-and-fire neurons, trained through a surrogate gradient."""

from typing import Any

import torch
from torch import Tensor, nn

STEPS = 10
LEAK = 0.9
THRESHOLD = 1.0
STEEPNESS = 5.0


class _Spike(torch.autograd.Function):
    """1 above the threshold, else 0; its gradient is 1 / (1 + 5 |u - 1|)^2."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor) -> Tensor:
        """Spikes of the given potentials."""
        distance = potential - THRESHOLD
        ctx.save_for_backward(distance)
        return (distance > 0).to(potential.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The surrogate's gradient, since the step's own is zero almost everywhere."""
        (distance,) = ctx.saved_tensors
        gradient: Tensor = gradients[0] / (1 + STEEPNESS * distance.abs()) ** 2
        return gradient


class SpikingMLP(nn.Module):
    """A hidden layer that spikes for ten time steps under a constant current, a leaky readout.

    u = 0.9 u + W x + b; it spikes above 1 and loses 1; m = 0.9 m + V z + c; scores are mean m.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.current = nn.Linear(inputs, hidden)
        self.readout = nn.Linear(hidden, classes)
        self.spike_rate = 0.0
        """Mean spikes per hidden neuron and time step in the last forward pass."""

    def spikes(self, x: Tensor) -> Tensor:
        """(batch, inputs) to spikes of shape (time steps, batch, hidden)."""
        current = self.current(x)
        potential = torch.zeros_like(current)
        fired = []
        for _ in range(STEPS):
            potential = LEAK * potential + current
            spike: Tensor = _Spike.apply(potential)  # type: ignore[no-untyped-call]
            fired.append(spike)
            potential = potential - THRESHOLD * spike
        return torch.stack(fired)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, inputs) to scores (batch, classes)."""
        spikes = self.spikes(x)
        self.spike_rate = float(spikes.detach().mean())
        weights = torch.tensor([_readout_share(step) for step in range(STEPS)])
        scores: Tensor = (
            weights.sum() * self.readout.bias
            + torch.tensordot(weights, spikes, dims=1) @ self.readout.weight.T
        )
        return scores


def _readout_share(step: int) -> float:
    """What a current at this time step adds to the mean of the leaky readout over all steps."""
    return float(sum(LEAK**later for later in range(STEPS - step)) / STEPS)
