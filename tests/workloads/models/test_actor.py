"""Policy and value share a trunk, and the forward pass is the policy."""

import torch

from workloads.models.actor import ActorCritic


def test_forward_is_the_policy_and_the_value_hangs_on_the_same_trunk() -> None:
    torch.manual_seed(0)
    model = ActorCritic(inputs=4, hidden=64, actions=2)
    x = torch.randn(7, 4)
    scores, value = model.both(x)
    assert torch.equal(model(x), scores)
    assert scores.shape == (7, 2)
    assert value.shape == (7,)
    value.sum().backward()
    assert model.actor.weight.grad is None
    assert all(parameter.grad is not None for parameter in model.trunk.parameters())


def test_it_has_the_known_number_of_weights() -> None:
    model = ActorCritic(inputs=4, hidden=64, actions=2)
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_675
