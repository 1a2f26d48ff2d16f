"""A perceptron for one real number."""

from itertools import pairwise

from torch import Tensor, nn


class Regressor(nn.Module):
    """Linear layers with SiLU between them; the last one gives one value a row."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((*sizes, 1)):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, inputs) to values (batch,)."""
        values: Tensor = self.layers(x).squeeze(1)
        return values
