"""ResNet-9: the published size at the published width, and what a thin one gives."""

import torch

from workloads.models.resnet9 import ResNet9


def count(width: int) -> int:
    return sum(parameter.numel() for parameter in ResNet9(width, 10).parameters())


def test_published_width_has_the_published_count_of_parameters() -> None:
    # The net of cifar10-fast: 6,573,120 with weight and bias of each batch normalisation.
    assert count(64) == 6_573_120


def test_a_thin_one_has_about_a_64th() -> None:
    assert 60 < count(64) / count(8) < 66


def test_scores_of_every_image_are_its_own() -> None:
    torch.manual_seed(0)
    model = ResNet9(4, 10).eval()
    x = torch.randn(3, 3, 32, 32)
    scores = model(x)
    assert scores.shape == (3, 10)
    assert torch.allclose(scores[1:2], model(x[1:2]), atol=1e-5)
    assert not torch.allclose(scores[0], scores[1])


def test_an_added_block_passes_its_input_on() -> None:
    torch.manual_seed(0)
    block = ResNet9(4, 10).body[3]
    x = torch.rand(2, 8, 16, 16)
    assert bool((block(x) >= x).all())
