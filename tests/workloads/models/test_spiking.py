"""The spiking net against a loop written from the equations."""

import numpy as np
import pytest
import torch

from workloads.models.spiking import STEPS, SpikingMLP, _Spike


def by_hand(model: SpikingMLP, x: torch.Tensor) -> tuple[np.ndarray, float]:
    """Scores and spike rate by the equations, in numpy."""
    w, b, v, c = (parameter.detach().double().numpy() for parameter in model.parameters())
    current = x.double().numpy() @ w.T + b
    u, m = np.zeros_like(current), np.zeros((len(x), len(c)))
    total, fired = np.zeros_like(m), 0.0
    for _ in range(STEPS):
        u = 0.9 * u + current
        spike = (u > 1).astype(float)
        u = u - spike
        m = 0.9 * m + spike @ v.T + c
        total, fired = total + m, fired + spike.mean()
    return total / STEPS, fired / STEPS


def test_scores_and_spike_rate_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    model, x = SpikingMLP(64, 128, 10), torch.rand(20, 64)
    scores, rate = by_hand(model, x)
    assert np.allclose(model(x).detach().numpy(), scores, atol=1e-4)
    assert model.spike_rate == pytest.approx(rate, abs=1e-3)
    assert 0 < model.spike_rate < 1


def test_spikes_are_zero_or_one_and_come_with_current_alone() -> None:
    model = SpikingMLP(4, 6, 2)
    spikes = model.spikes(torch.randn(9, 4) * 5)
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}
    torch.nn.init.zeros_(model.current.bias)
    assert model.spikes(torch.zeros(3, 4)).sum() == 0


def test_surrogate_gradient_is_the_stated_one() -> None:
    potential = torch.tensor([0.0, 0.8, 1.0, 1.2, 3.0], requires_grad=True)
    _Spike.apply(potential).sum().backward()
    assert potential.grad is not None
    assert potential.grad.tolist() == pytest.approx([1 / 36, 0.25, 1.0, 0.25, 1 / 121])


def test_published_count_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in SpikingMLP(64, 128, 10).parameters()) == 9_610
