"""Residual nets for photographs (He et al., 2015), the stride in the 3 x 3 convolution."""

import torch
from torch import Tensor, nn

STAGES = (64, 128, 256, 512)
EXPANSION = 4


def _step(inputs: int, outputs: int, side: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class _Block(nn.Module):
    """Two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1, added to the input."""

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        outputs = width * EXPANSION if bottleneck else width
        if bottleneck:
            steps: list[nn.Module] = [
                *_step(inputs, width, 1), nn.ReLU(),
                *_step(width, width, 3, stride), nn.ReLU(),
                *_step(width, outputs, 1),
            ]  # fmt: skip
        else:
            steps = [*_step(inputs, width, 3, stride), nn.ReLU(), *_step(width, outputs, 3)]
        self.body = nn.Sequential(*steps)
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else nn.Sequential(*_step(inputs, outputs, 1, stride))
        # Each block begins as the identity (Goyal et al., 2017).
        last = self.body[-1].weight
        assert isinstance(last, Tensor)
        nn.init.zeros_(last)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, side, side) to (batch, outputs, side / stride, side / stride)."""
        return torch.relu(self.body(x) + self.short(x))


class ResNet(nn.Module):
    """7 x 7 convolution, pooling, four stages of blocks, the mean of each map, scores."""

    def __init__(self, blocks: tuple[int, ...], *, bottleneck: bool, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_step(3, STAGES[0], 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
        )
        result: list[nn.Module] = []
        inputs = STAGES[0]
        for stage, (width, count) in enumerate(zip(STAGES, blocks, strict=True)):
            for place in range(count):
                stride = 2 if stage and not place else 1
                result.append(_Block(inputs, width, stride, bottleneck=bottleneck))
                inputs = width * EXPANSION if bottleneck else width
        self.body = nn.Sequential(*result)
        self.head = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, 3, side, side) to scores (batch, classes)."""
        scores: Tensor = self.head(self.body(self.stem(x)).mean(dim=(2, 3)))
        return scores
