"""A small convolutional net for 8 x 8 images."""

from torch import Tensor, nn


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


class SmallCNN(nn.Module):
    """Three 3 x 3 convolutions with batch normalisation, then the greatest value of each map."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 16), *_block(16, 32), nn.MaxPool2d(2), *_block(32, 32)
        )
        self.head = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, 1, 8, 8) to scores (batch, classes)."""
        scores: Tensor = self.head(self.features(x).amax(dim=(2, 3)))
        return scores
