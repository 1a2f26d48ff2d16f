"""Recurrent spiking neurons: what one neuron does, and gradients that pass through spikes."""

import pytest
import torch
from torch.nn import functional

from workloads.models.recurrent_spiking import RecurrentSpiking, spike


def test_a_spike_is_one_above_the_threshold_and_its_gradient_the_surrogate() -> None:
    potential = torch.tensor([-1.0, 0.9, 1.0, 1.1, 3.0], requires_grad=True)
    fired = spike(potential)
    assert fired.tolist() == [0, 0, 0, 1, 1]
    fired.sum().backward()
    expected = 1 / (1 + 5 * (potential.detach() - 1).abs()) ** 2
    assert potential.grad is not None
    assert torch.allclose(potential.grad, expected)


def lone(weight: float, recurrent: float) -> RecurrentSpiking:
    net = RecurrentSpiking(1, 1, 1)
    with torch.no_grad():
        net.current.weight.fill_(weight)
        net.recurrent.weight.fill_(recurrent)
        net.readout.weight.fill_(1.0)
        net.readout.bias.zero_()
    return net


def rates(weight: float, recurrent: float, bins: int = 12) -> tuple[float, float]:
    """Spike rate and score of one neuron under a constant count of one."""
    net = lone(weight, recurrent)
    with torch.inference_mode():
        score = float(net(torch.ones(1, bins, 1, dtype=torch.uint8)))
    return net.spike_rate, score


def by_hand(weight: float, recurrent: float, bins: int = 12) -> tuple[float, float]:
    potential = fired = readout = total = count = 0.0
    for _ in range(bins):
        potential = 0.9 * (potential - fired) + weight + recurrent * fired
        fired = float(potential > 1)
        readout = 0.9 * readout + fired
        total, count = total + readout, count + fired
    return count / bins, total / bins


@pytest.mark.parametrize(("weight", "recurrent"), [(0.3, 0.0), (0.3, -0.4), (0.3, 0.4), (0.05, 1)])
def test_one_neuron_does_what_its_equations_say(weight: float, recurrent: float) -> None:
    assert rates(weight, recurrent) == pytest.approx(by_hand(weight, recurrent))


def test_weak_currents_never_fire_and_feedback_excites() -> None:
    assert rates(0.05, 1.0)[0] == 0
    assert rates(0.3, 0.4)[0] > rates(0.3, 0.0)[0] > rates(0.3, -0.4)[0]


def test_it_learns_which_channel_spikes_first() -> None:
    torch.set_num_threads(1)  # two, beside other work, wait for each other
    torch.manual_seed(0)
    net = RecurrentSpiking(2, 32, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    x = torch.zeros(2, 10, 2)
    x[0, 1, 0] = x[0, 6, 1] = x[1, 1, 1] = x[1, 6, 0] = 3.0
    y = torch.tensor([0, 1])
    for _ in range(40):
        loss = functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        optimizer.step()
    assert net(x).argmax(1).tolist() == [0, 1]
    assert float(loss.detach()) < 0.4
