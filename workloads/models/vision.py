"""From bytes of pixels to scores: normalisation, mirrored views, pieces that fit into memory."""

from collections.abc import Callable

import torch
from torch import Tensor

CIFAR_MEAN, CIFAR_DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Of CIFAR-10's training images, 0 to 1, as airbench has them."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIECE_ROWS = 128


def normalised(x: Tensor, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
    """Uint8 (rows, 3, height, width) to float32 of about zero mean and unit deviation."""
    shape = (1, 3, 1, 1)
    shifted = x.float() / 255 - torch.tensor(mean, device=x.device).view(shape)
    return shifted / torch.tensor(deviation, device=x.device).view(shape)


def mirrored_mean(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Mean of the scores for an image and for its mirror image."""
    return (model(x) + model(x.flip(-1))) / 2


def in_pieces(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward` over a few rows at a time, so that memory does not grow with the batch."""
    return torch.cat([forward(piece) for piece in x.split(PIECE_ROWS)])


def cifar_scores(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Uint8 (rows, 3, 32, 32) to scores, each image seen from both sides."""
    return in_pieces(
        lambda piece: mirrored_mean(model, normalised(piece, CIFAR_MEAN, CIFAR_DEVIATION)), x
    )


def imagenet_scores(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Uint8 (rows, 3, height, width) to scores, each image seen once."""
    return in_pieces(lambda piece: model(normalised(piece, IMAGENET_MEAN, IMAGENET_DEVIATION)), x)
