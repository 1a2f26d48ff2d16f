"""Sampling follows the velocity, and the loss is least at the true one."""

import pytest
import torch
from torch import Tensor, nn

from workloads.models.flow import Flow, flow_loss, sample


class Known(nn.Module):
    """Carries every point towards one place: the exact flow to a single data point."""

    def __init__(self, place: Tensor) -> None:
        super().__init__()
        self.place = place

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (self.place - x) / (1 - t[:, None])


def test_exact_flow_to_a_point_ends_close_to_it_and_costs_nothing() -> None:
    place = torch.tensor([2.0, -1.0])
    noise = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    ends = sample(Known(place), noise)
    assert (ends - place).abs().max() < 0.15 * (noise - place).abs().max()
    loss = flow_loss(Known(place), place.expand(500, 2), torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_constant_velocity_moves_by_itself() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return torch.ones_like(x) * 3

    assert torch.allclose(sample(Constant(), torch.zeros(5, 2)), torch.full((5, 2), 3.0))


def test_sampling_meets_the_middle_of_every_step_once() -> None:
    class Clock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[float] = []

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            self.seen.append(float(t[0]))
            return x * 0

    clock = Clock()
    sample(clock, torch.zeros(1, 2))
    assert clock.seen == pytest.approx([(step + 0.5) / 40 for step in range(40)])


@pytest.mark.parametrize(("size", "hidden", "waves", "weights"), [
    (2, (128, 128, 128), 0, 33_794),
    (64, (256, 256, 256), 8, 168_768),
])  # fmt: skip
def test_nets_have_the_known_number_of_weights(
    size: int, hidden: tuple[int, ...], waves: int, weights: int
) -> None:
    model = Flow(size=size, hidden=hidden, waves=waves)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights
    assert "frequencies" not in model.state_dict()
    assert model(torch.zeros(3, size), torch.zeros(3)).shape == (3, size)


def test_velocity_hangs_on_the_time() -> None:
    torch.manual_seed(0)
    for model in (Flow(size=2, hidden=(8,)), Flow(size=2, hidden=(8,), waves=4)):
        x = torch.zeros(2, 2)
        assert not torch.allclose(*model(x, torch.tensor([0.0, 1.0])))


def test_loss_of_a_good_velocity_field_is_the_variance_it_cannot_know() -> None:
    """Data at 0: the velocity -x / (1 - t) is exact; the constant 0 pays the noise's variance."""

    class Still(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return x * 0

    generator = torch.Generator().manual_seed(1)
    loss = flow_loss(Still(), torch.zeros(50_000, 2), generator)
    assert loss.item() == pytest.approx(1.0, abs=0.02)
