"""The depthwise separable net of MLPerf Tiny's keyword spotting, cepstra included."""

import math

import torch
from torch import Tensor, nn

RATE_HZ = 16_000
WINDOW, HOP = 640, 320
"""Samples: 40 ms, every 20 ms."""
BANDS, CEPSTRA = 40, 10
LOW_HZ, HIGH_HZ = 20.0, 4000.0
WIDTH = 64
FLOOR = 1e-6


def _mel(hertz: Tensor) -> Tensor:
    """O'Shaughnessy's scale: 1127 ln(1 + f / 700)."""
    return 1127 * torch.log1p(hertz / 700)


def mel_weights() -> Tensor:
    """Triangles of equal width in mel, (frequencies, bands)."""
    mels = _mel(torch.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1))[:, None]
    low, high = _mel(torch.tensor(LOW_HZ)), _mel(torch.tensor(HIGH_HZ))
    edges = torch.linspace(float(low), float(high), BANDS + 2)
    up = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    return torch.minimum(up, down).clamp(min=0)


def cosines() -> Tensor:
    """The orthonormal discrete cosine transform's first rows, (bands, cepstra)."""
    places = (torch.arange(BANDS) + 0.5)[:, None] * torch.arange(CEPSTRA) * math.pi / BANDS
    scale = torch.full((CEPSTRA,), math.sqrt(2 / BANDS))
    scale[0] = math.sqrt(1 / BANDS)
    return torch.cos(places) * scale


def _step(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


class KeywordNet(nn.Module):
    """Cepstra of a second of sound, one convolution, four depthwise separable ones, scores."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers = _step(nn.Conv2d(1, WIDTH, (10, 4), 2, padding=(5, 1), bias=False))
        for _ in range(4):
            layers += _step(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False))
            layers += _step(nn.Conv2d(WIDTH, WIDTH, 1, bias=False))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTH, classes)

    def cepstra(self, samples: Tensor) -> Tensor:
        """Int16 (batch, samples) to float32 (batch, frames, cepstra)."""
        device = samples.device
        window = torch.hann_window(WINDOW, device=device)
        sound = samples.float() / 32768
        spectrum = torch.stft(
            sound, WINDOW, HOP, window=window, center=False, return_complex=True
        ).abs()
        bands = (spectrum**2).transpose(1, 2) @ mel_weights().to(device)
        return torch.log(bands + FLOOR) @ cosines().to(device)

    def forward(self, samples: Tensor) -> Tensor:
        """Int16 (batch, 16000) to scores (batch, classes)."""
        scores: Tensor = self.head(self.body(self.cepstra(samples)[:, None]).mean(dim=(2, 3)))
        return scores
