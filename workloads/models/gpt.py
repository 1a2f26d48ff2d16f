"""A decoder-only transformer with learned positions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS = 4
SMALL = 0.02
"""Standard deviation of the initial embedding, positions and head."""


class Block(nn.Module):
    """Pre-norm causal self-attention and a GELU perceptron, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def _attend(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(x).view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        projected: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return projected

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, width) to the same shape."""
        x = x + self._attend(self.norm_attention(x))
        mixed: Tensor = x + self.mlp(self.norm_mlp(x))
        return mixed


class GPT(nn.Module):
    """Blocks between a token embedding and an untied head without bias."""

    def __init__(self, *, layers: int, width: int, context: int, symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, width)
        self.positions = nn.Parameter(torch.zeros(context, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols, bias=False)
        for weights in (self.embedding.weight, self.positions, self.head.weight):
            nn.init.normal_(weights, std=SMALL)

    def forward(self, tokens: Tensor) -> Tensor:
        """Int64 (batch, t) with t up to the context to scores (batch, t, symbols)."""
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        scores: Tensor = self.head(self.norm(self.blocks(x)))
        return scores
