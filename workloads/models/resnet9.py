"""ResNet-9 (D. Page, 2018; the net that won HAET 2021), thin enough for a processor."""

from torch import Tensor, nn

HEAD_SCALE = 0.125


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class _Added(nn.Module):
    """Two blocks, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_block(width, width), _block(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, side, side) to the same shape."""
        out: Tensor = x + self.body(x)
        return out


class ResNet9(nn.Module):
    """Eight convolutions of 3 x 3, three of them before a halving, and one linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(3, width),
            _block(width, 2 * width), nn.MaxPool2d(2), _Added(2 * width),
            _block(2 * width, 4 * width), nn.MaxPool2d(2),
            _block(4 * width, 8 * width), nn.MaxPool2d(2), _Added(8 * width),
        )  # fmt: skip
        self.head = nn.Linear(8 * width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, 3, 32, 32) to scores (batch, classes)."""
        scores: Tensor = self.head(self.body(x).amax(dim=(2, 3))) * HEAD_SCALE
        return scores
