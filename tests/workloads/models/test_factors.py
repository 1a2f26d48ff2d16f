"""Matrix factorisation scores by its formula."""

import torch

from workloads.models.factors import Factorisation


def test_rating_is_mean_and_biases_and_product() -> None:
    torch.manual_seed(0)
    model = Factorisation(users=5, items=7, factors=3)
    model.mean.fill_(3.5)
    torch.nn.init.normal_(model.user_bias.weight)
    torch.nn.init.normal_(model.item_bias.weight)
    pairs = torch.cartesian_prod(torch.arange(5), torch.arange(7))
    whole = 3.5 + model.user_bias.weight + model.item_bias.weight.T
    whole = whole + model.user.weight @ model.item.weight.T
    assert torch.allclose(model(pairs), whole.flatten(), atol=1e-5)


def test_mean_goes_with_the_weights() -> None:
    model = Factorisation(users=600, items=400, factors=8)
    assert "mean" in model.state_dict()
    assert sum(parameter.numel() for parameter in model.parameters()) == 9_000
