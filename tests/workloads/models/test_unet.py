"""The U-shaped net: shapes, the noising's two ends, and sampling that finds a known image."""

import pytest
import torch

from workloads.models.unet import TRAIN_STEPS, UNet, denoising_loss, kept_signal, noised, sample


@pytest.fixture
def net() -> UNet:
    torch.manual_seed(0)
    return UNet((8, 16), side=8)


def test_noise_has_the_shape_of_the_images_and_tells_nothing_at_first(net: UNet) -> None:
    x = torch.randn(3, 3, 8, 8)
    out = net(x, torch.tensor([0, 5, 999]))
    assert torch.equal(out, out[:1, :, :1, :1].expand_as(out)), (
        "at first nothing is told but a bias"
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    out = net(x, torch.tensor([0, 5, 999]))
    assert out.shape == x.shape
    assert not torch.allclose(out[0], net(x, torch.tensor([9, 5, 999]))[0]), "the step has a say"
    assert torch.allclose(out[1], net(x[1:2], torch.tensor([5]))[0], atol=1e-5)


def test_every_weight_takes_part(net: UNet) -> None:
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    net(torch.randn(2, 3, 8, 8), torch.tensor([3, 700])).square().sum().backward()
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(net.parameters()))
    assert all(bool(gradient.abs().sum() > 0) for gradient in gradients)


def test_noising_goes_from_the_image_to_noise() -> None:
    share = kept_signal()
    assert len(share) == TRAIN_STEPS
    assert float(share[0]) == pytest.approx(1 - 1e-4)
    assert float(share[-1]) < 1e-4
    assert bool((share[1:] < share[:-1]).all())
    images, noise = torch.ones(2, 3, 4, 4), torch.full((2, 3, 4, 4), -1.0)
    out = noised(images, noise, torch.tensor([0, 999]))
    assert float(out[0].mean()) == pytest.approx(1, abs=0.02)
    assert float(out[1].mean()) == pytest.approx(-1, abs=0.02)


class Knows(torch.nn.Module):
    """The perfect net for a world of one image."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        share = kept_signal()[steps].view(-1, 1, 1, 1)
        return (x - share.sqrt() * self.image) / (1 - share).sqrt()


def test_sampling_with_perfect_knowledge_ends_at_the_image() -> None:
    torch.manual_seed(0)
    image = torch.rand(3, 4, 4) * 1.8 - 0.9
    result = sample(Knows(image), torch.randn(5, 3, 4, 4))
    assert torch.allclose(result, image.expand(5, -1, -1, -1), atol=1e-3)


def test_perfect_knowledge_has_no_loss_and_ignorance_a_loss_of_one() -> None:
    torch.manual_seed(0)
    image = torch.zeros(3, 4, 4)
    images = image.expand(500, -1, -1, -1)
    assert float(denoising_loss(Knows(image), images)) < 1e-6
    with torch.inference_mode():
        loss = float(denoising_loss(UNet((8,), side=4), images))
    assert loss == pytest.approx(1, abs=0.1)
