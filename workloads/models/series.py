"""Convolutional nets over time."""

from torch import Tensor, nn


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv1d(inputs, outputs, 3, padding=1), nn.BatchNorm1d(outputs), nn.ReLU()]


class SeriesCNN(nn.Module):
    """Two convolutions over time with batch normalisation, then means over `parts` of it."""

    def __init__(self, *, channels: int, width: int, parts: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_block(channels, width), *_block(width, width))
        self.pool = nn.AdaptiveAvgPool1d(parts)
        self.head = nn.Linear(width * parts, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, channels, time) to scores (batch, classes)."""
        scores: Tensor = self.head(self.pool(self.features(x)).flatten(1))
        return scores
