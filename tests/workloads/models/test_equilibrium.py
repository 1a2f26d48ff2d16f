"""The settling net goes downhill on its energy, and nudges estimate the gradient of the error."""

import pytest
import torch

from benchmarks.calibrate_plain import load_submission, rehearse
from workloads.models.equilibrium import EquilibriumNet, State


@pytest.fixture
def net() -> EquilibriumNet:
    torch.manual_seed(0)
    return EquilibriumNet(64, 128, 10)


def energy(net: EquilibriumNet, x: torch.Tensor, state: State) -> torch.Tensor:
    h, o = state
    met = (h * net.first(x)).sum(1) + (o * net.second(h)).sum(1)
    return (h.square().sum(1) + o.square().sum(1)) / 2 - met


def test_published_count_of_parameters(net: EquilibriumNet) -> None:
    assert sum(parameter.numel() for parameter in net.parameters()) == 9_610


@torch.no_grad()
def test_every_step_goes_downhill_to_a_state_of_rest(net: EquilibriumNet) -> None:
    x = torch.rand(20, 64)
    state = net.rest(x)
    heights = [energy(net, x, state)]
    for _ in range(40):
        state = net.settle(x, state, 1)
        heights.append(energy(net, x, state))
    falls = torch.stack(heights).diff(dim=0)
    assert bool((falls <= 1e-5).all())
    assert bool((falls[0] < -1e-3).all())
    again = net.settle(x, state, 30)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(state, again, strict=True))


@torch.no_grad()
def test_scores_are_the_outputs_at_rest_between_0_and_1(net: EquilibriumNet) -> None:
    x = torch.rand(20, 64) * 5
    scores = net(x)
    assert torch.equal(scores, net.settle(x, net.rest(x), 30)[1])
    assert scores.min() >= 0
    assert scores.max() <= 1


@torch.no_grad()
@pytest.mark.parametrize(("nudge", "sign"), [(1.0, -1), (-1.0, 1)])
def test_nudges_bring_outputs_nearer_to_the_truth_or_away(
    net: EquilibriumNet, nudge: float, sign: int
) -> None:
    x, truth = torch.rand(20, 64), torch.full((20, 10), 0.5)
    free = net.settle(x, net.rest(x), 40)
    nudged = net.settle(x, free, 20, truth, nudge)
    change = (nudged[1] - truth).square().sum() - (free[1] - truth).square().sum()
    assert sign * change.item() > 0


def test_nudged_states_estimate_the_gradient_that_backward_finds(
    net: EquilibriumNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scellier and Bengio's theorem: equal to the gradient at equilibrium as the nudge goes to 0.

    In double precision, since a small nudge leaves small differences.
    """
    scope = load_submission("digits-eqprop-adamw")[0].__globals__
    net.double()
    x = torch.rand(30, 64, dtype=torch.float64)
    truth = torch.nn.functional.one_hot(torch.arange(30) % 10, 10).double()
    outputs = net.settle(x, net.rest(x), 300)[1]
    (0.5 * (outputs - truth).square().sum(1).mean()).backward()
    wanted = [
        parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None
    ]
    monkeypatch.setitem(scope, "NUDGE", 1e-6)
    monkeypatch.setitem(scope, "FREE_STEPS", 300)
    monkeypatch.setitem(scope, "NUDGED_STEPS", 300)
    scope["estimate"](net, x, truth)
    result = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    assert len(result) == len(wanted) == 4
    for mine, theirs in zip(result, wanted, strict=True):
        assert (mine - theirs).norm() < 0.02 * theirs.norm()


def test_training_asks_for_no_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a backward pass")

    monkeypatch.setattr(torch.autograd, "backward", refuse)
    assert rehearse("digits-eqprop-adamw", 7, spacing_s=0.0, most=2).metrics[-1] > 0.3
