"""The perceptron is the one of the recipe."""

import torch

from workloads.models.mlp import MLP


def test_perceptron_has_the_published_count_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in MLP(64, 128, 10).parameters()) == 9_610


def test_layers_are_affine_with_one_rectifier_between() -> None:
    model = MLP(64, 128, 10)
    x = torch.randn(7, 64)
    weights = list(model.parameters())
    hidden = torch.relu(x @ weights[0].T + weights[1])
    assert torch.allclose(model(x), hidden @ weights[2].T + weights[3], atol=1e-6)


def test_images_are_flattened() -> None:
    model = MLP(64, 128, 10)
    images = torch.randn(3, 1, 8, 8)
    assert torch.equal(model(images), model(images.flatten(1)))
