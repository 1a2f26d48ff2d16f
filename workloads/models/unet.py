"""The U-shaped net of denoising diffusion (Ho et al., 2020), and sampling without noise."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TRAIN_STEPS = 1000
BETA_FIRST, BETA_LAST = 1e-4, 0.02
SAMPLING_STEPS = 20
GROUPS = 8
ATTENTION_SIDE = 16
"""Pixels of the side at which every place looks at every other one."""


def kept_signal(device: torch.device | None = None) -> Tensor:
    """Share of the image's variance that is left after each of 1,000 noising steps."""
    betas = torch.linspace(BETA_FIRST, BETA_LAST, TRAIN_STEPS, device=device)
    return torch.cumprod(1 - betas, dim=0)


def noised(images: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """Images (batch, ...) after the given noising steps (batch,), int64 0 to 999."""
    share = kept_signal(images.device)[steps].view(-1, *(1,) * (images.ndim - 1))
    return share.sqrt() * images + (1 - share).sqrt() * noise


class _Residual(nn.Module):
    """Two normalised 3 x 3 convolutions, told the time, added to the input; the last is 0 first."""

    def __init__(self, inputs: int, outputs: int, clock: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.time = nn.Linear(clock, outputs)
        self.second = nn.Sequential(
            nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.short = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        last = self.second[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor, clock: Tensor) -> Tensor:
        """(batch, inputs, side, side) to (batch, outputs, side, side)."""
        matches = self.first(x) + self.time(clock)[:, :, None, None]
        result: Tensor = self.second(matches) + self.short(x)
        return result


class _Attention(nn.Module):
    """One head over all places, added to its input; it begins at 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, side, side) to the same shape."""
        query, key, value = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return result


class _Rung(nn.Module):
    """One resolution: blocks on the way down, all coarser ones within, blocks on the way up."""

    def __init__(self, widths: tuple[int, ...], clock: int, side: int) -> None:
        super().__init__()
        width, coarser = widths[0], widths[1:]
        attend = side <= ATTENTION_SIDE
        self.enter = nn.ModuleList(_Residual(width, width, clock) for _ in range(2))
        self.look = _Attention(width) if attend else nn.Identity()
        self.inner: nn.Module | None = None
        if coarser:
            self.shrink = nn.Conv2d(width, coarser[0], 3, 2, padding=1)
            self.inner = _Rung(coarser, clock, side // 2)
            self.grow = nn.Conv2d(coarser[0], width, 3, padding=1)
        first = 2 * width if coarser else width
        self.leave = nn.ModuleList(_Residual(item, width, clock) for item in (first, width))

    def forward(self, x: Tensor, clock: Tensor) -> Tensor:
        """(batch, width, side, side) to the same shape."""
        for block in self.enter:
            x = block(x, clock)
        x = self.look(x)
        if self.inner is not None:
            inside = functional.interpolate(self.inner(self.shrink(x), clock), scale_factor=2.0)
            x = torch.cat([x, self.grow(inside)], dim=1)
        for block in self.leave:
            x = block(x, clock)
        return x


class UNet(nn.Module):
    """An image with noise and a time to the noise in it, with one short cut a resolution."""

    def __init__(self, widths: tuple[int, ...], *, side: int) -> None:
        super().__init__()
        self.width, clock = widths[0], 4 * widths[0]
        layers = (nn.Linear(self.width, clock), nn.SiLU(), nn.Linear(clock, clock), nn.SiLU())
        self.time = nn.Sequential(*layers)
        self.begin = nn.Conv2d(3, self.width, 3, padding=1)
        self.rungs = _Rung(widths, clock, side)
        last = nn.Conv2d(self.width, 3, 3, padding=1)
        self.end = nn.Sequential(nn.GroupNorm(GROUPS, self.width), nn.SiLU(), last)
        nn.init.zeros_(last.weight)

    def _clock(self, steps: Tensor) -> Tensor:
        """Sines and cosines of the step, as of places in a Transformer, through two layers."""
        waves = torch.arange(self.width // 2, device=steps.device) / (self.width // 2)
        angles = steps[:, None].float() * torch.exp(-math.log(10_000) * waves)
        matches: Tensor = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        return matches

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        """Float32 (batch, 3, side, side) and int64 (batch,) to the noise of the images' shape."""
        noise: Tensor = self.end(self.rungs(self.begin(x), self._clock(steps)))
        return noise


def denoising_loss(model: nn.Module, images: Tensor) -> Tensor:
    """Mean squared error of the noise at uniform steps (Ho et al., 2020, their simple loss)."""
    noise = torch.randn_like(images)
    steps = torch.randint(TRAIN_STEPS, (len(images),), device=images.device)
    error: Tensor = functional.mse_loss(model(noised(images, noise, steps), steps), noise)
    return error


def sample(model: nn.Module, noise: Tensor) -> Tensor:
    """Where 20 steps without noise of their own (DDIM: Song et al., 2021) take normal noise.

    The image that a step tells is clipped to -1 to 1, as in Ho et al.
    """
    kept = kept_signal(noise.device)
    places = torch.linspace(TRAIN_STEPS - 1, 0, SAMPLING_STEPS).round().long().tolist()
    x = noise
    for place, then in zip(places, [*places[1:], -1], strict=True):
        now, later = kept[place], kept[then] if then >= 0 else torch.ones_like(kept[0])
        reported = model(x, torch.full((len(x),), place, device=x.device))
        image = ((x - (1 - now).sqrt() * reported) / now.sqrt()).clamp(-1, 1)
        reported = (x - now.sqrt() * image) / (1 - now).sqrt()
        x = later.sqrt() * image + (1 - later).sqrt() * reported
    return x
