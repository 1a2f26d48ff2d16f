"""The convolutional net is the one of the recipe."""

import torch

from workloads.models.cnn import SmallCNN


def test_net_has_the_published_count_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in SmallCNN(10).parameters()) == 14_458


def test_rows_do_not_affect_other_rows_in_evaluation() -> None:
    model = SmallCNN(10)
    model(torch.randn(64, 1, 8, 8))
    model.eval()
    images = torch.randn(5, 1, 8, 8)
    whole = model(images)
    assert whole.shape == (5, 10)
    assert torch.allclose(whole[2:3], model(images[2:3]), atol=1e-5)


def test_greatest_value_of_a_map_does_not_hang_on_its_place() -> None:
    """A dot moved by the pooling's two pixels, far enough from the border, scores the same."""
    model = SmallCNN(10).eval()
    images = torch.zeros(2, 1, 24, 24)
    images[0, 0, 11, 11] = images[1, 0, 11, 13] = 1.0
    first, second = model(images)
    assert torch.allclose(first, second, atol=1e-6)
