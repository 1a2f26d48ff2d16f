"""The convolutional nets of airbench (Keller Jordan, 2024): a fixed first layer, three groups."""

import torch
from torch import Tensor, nn

HEAD_SCALE = 1 / 9
WHITENING_SIDE = 2
WHITENING_WIDTH = 2 * 3 * WHITENING_SIDE**2


class _Convolution(nn.Conv2d):
    """A 3 x 3 convolution without bias whose first filters pass the input on (Dirac)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def reset_parameters(self) -> None:
        """Torch's draw for all filters, then the identity for as many as there are inputs."""
        super().reset_parameters()
        with torch.no_grad():
            nn.init.dirac_(self.weight[: self.weight.shape[1]])


def _norm(width: int) -> nn.BatchNorm2d:
    """Batch normalisation that learns a shift alone."""
    norm = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad = False
    return norm


class _Group(nn.Module):
    """Two or three convolutions, halving the picture after the first; three add a short cut."""

    def __init__(self, inputs: int, width: int, *, deep: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(
            _Convolution(inputs, width), nn.MaxPool2d(2), _norm(width), nn.GELU()
        )
        self.second = nn.Sequential(_Convolution(width, width), _norm(width))
        self.third = nn.Sequential(_Convolution(width, width), _norm(width)) if deep else None
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, side, side) to (batch, width, side // 2, side // 2)."""
        x = self.first(x)
        out = self.act(self.second(x))
        if self.third is not None:
            out = self.act(self.third(out) + x)
        result: Tensor = out
        return result


class AirbenchNet(nn.Module):
    """Whitening convolution, GELU, three groups, the greatest value of each map, scaled scores.

    The whitening filters are meant to be set from training images before training and then kept;
    they are part of the state, so that a snapshot carries them.
    """

    def __init__(self, widths: tuple[int, int, int], *, deep: bool, classes: int) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, WHITENING_WIDTH, WHITENING_SIDE)
        self.whitening.weight.requires_grad = False
        places = (WHITENING_WIDTH, *widths)
        groups = [_Group(a, b, deep=deep) for a, b in zip(places, widths, strict=False)]
        self.body = nn.Sequential(nn.GELU(), *groups, nn.MaxPool2d(3))
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, 3, 32, 32) to scores (batch, classes)."""
        scores: Tensor = self.head(self.body(self.whitening(x)).flatten(1)) * HEAD_SCALE
        return scores
