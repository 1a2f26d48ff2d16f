"""An autoencoder whose error is the score of an anomaly."""

from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Perceptrons with tanh to a narrow code and back."""

    def __init__(self, *, inputs: int, hidden: int, code: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.Tanh(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, inputs) to mean squared errors of the rebuilt rows (batch,)."""
        errors: Tensor = (self.decoder(self.encoder(x)) - x).square().mean(dim=1)
        return errors
