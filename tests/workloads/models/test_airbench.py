"""Airbench's nets: sizes as published, the first layers pass the picture on."""

import pytest
import torch

from workloads.models.airbench import AirbenchNet
from workloads.models.resnet import ResNet
from workloads.models.vision import (
    CIFAR_DEVIATION,
    CIFAR_MEAN,
    cifar_scores,
    mirrored_mean,
    normalised,
)


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_widths_and_depth_give_the_published_sizes() -> None:
    small = AirbenchNet((64, 256, 256), deep=False, classes=10)
    # 1.97 million weights, as airbench94 says of itself.
    assert count(small) == pytest.approx(1.97e6, rel=0.01)
    assert small(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    deep = AirbenchNet((128, 384, 512), deep=True, classes=10)
    assert deep(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_convolutions_begin_with_the_identity() -> None:
    torch.manual_seed(0)
    weight = AirbenchNet((64, 256, 256), deep=False, classes=10).state_dict()[
        "body.1.first.0.weight"
    ]
    assert torch.equal(weight[5, :, 1, 1], torch.eye(24)[5])
    assert not torch.equal(weight[40, :, 1, 1], torch.eye(64)[40][:24])


@pytest.mark.parametrize(
    ("blocks", "bottleneck", "millions"),
    [((2, 2, 2, 2), False, 11.69), ((3, 4, 6, 3), True, 25.56)],
)
def test_residual_nets_have_the_published_sizes(
    blocks: tuple[int, ...], bottleneck: bool, millions: float
) -> None:
    model = ResNet(blocks, bottleneck=bottleneck, classes=1000)
    assert count(model) / 1e6 == pytest.approx(millions, abs=0.005)


def test_residual_blocks_begin_as_the_identity() -> None:
    torch.manual_seed(0)
    block = ResNet((2, 2, 2, 2), bottleneck=False, classes=10).body[1]
    x = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(x), x)


def test_normalised_pixels_have_zero_mean_where_they_are_the_mean() -> None:
    x = (torch.tensor(CIFAR_MEAN) * 255).round().to(torch.uint8).view(1, 3, 1, 1)
    assert normalised(x, CIFAR_MEAN, CIFAR_DEVIATION).abs().max() < 0.01
    white = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    wanted = (1 - torch.tensor(CIFAR_MEAN)) / torch.tensor(CIFAR_DEVIATION)
    assert torch.allclose(normalised(white, CIFAR_MEAN, CIFAR_DEVIATION).flatten(), wanted)


def test_mirror_images_get_the_same_scores() -> None:
    torch.manual_seed(0)
    model = AirbenchNet((8, 16, 16), deep=False, classes=10).eval()
    x = torch.rand(3, 3, 32, 32)
    first, second = mirrored_mean(model, x), mirrored_mean(model, x.flip(-1))
    assert torch.allclose(first, second, atol=1e-6)


def test_pieces_do_not_change_a_row() -> None:
    torch.manual_seed(0)
    model = AirbenchNet((8, 16, 16), deep=False, classes=10).eval()
    x = torch.randint(0, 255, (130, 3, 32, 32), dtype=torch.uint8)
    assert torch.allclose(cifar_scores(model, x)[128:], cifar_scores(model, x[128:]), atol=1e-5)
