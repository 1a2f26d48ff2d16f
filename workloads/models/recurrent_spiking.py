"""A recurrent layer of leaky integrate-and-fire neurons over bins of spikes."""

import math

import torch
from torch import Tensor, nn

LEAK = 0.9
THRESHOLD = 1.0
STEEPNESS = 5.0
RECURRENT_SHARE = 0.2
"""Deviation of the recurrent weights, against 1 / sqrt(inputs) of a fresh linear layer."""


def spike(potential: Tensor) -> Tensor:
    """1 above the threshold, else 0; its gradient is 1 / (1 + 5 |u - 1|)^2 (Zenke, 2018)."""
    distance = potential - THRESHOLD
    # d / (1 + 5 |d|) has that derivative; its value is taken away again.
    soft = distance / (1 + STEEPNESS * distance.abs())
    return (distance > 0).to(potential.dtype) + soft - soft.detach()


class RecurrentSpiking(nn.Module):
    """u = 0.9 u + W x + R z; a neuron spikes above 1 and loses 1; leaky readouts, their mean.

    After Cramer et al. (2022), with a soft reset, and the mean of the readout over all bins in
    place of its greatest value.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.current = nn.Linear(inputs, hidden, bias=False)
        self.recurrent = nn.Linear(hidden, hidden, bias=False)
        self.readout = nn.Linear(hidden, classes)
        nn.init.normal_(self.current.weight, std=1 / math.sqrt(inputs))
        nn.init.normal_(self.recurrent.weight, std=RECURRENT_SHARE / math.sqrt(hidden))
        self.spike_rate = 0.0
        """Mean spikes per hidden neuron and bin in the last forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Counts (batch, bins, inputs) of any type to scores (batch, classes)."""
        currents = self.current(x.float())
        potential = torch.zeros_like(currents[:, 0])
        fired = torch.zeros_like(potential)
        readout = currents.new_zeros(len(x), self.readout.out_features)
        total, spikes = torch.zeros_like(readout), torch.zeros_like(potential)
        for current in currents.unbind(1):
            potential = LEAK * (potential - THRESHOLD * fired) + current + self.recurrent(fired)
            fired = spike(potential)
            readout = LEAK * readout + self.readout(fired)
            total, spikes = total + readout, spikes + fired.detach()
        self.spike_rate = float(spikes.mean() / currents.shape[1])
        scores: Tensor = total / currents.shape[1]
        return scores
