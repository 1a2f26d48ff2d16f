"""GPT-2 (Radford et al., 2019), its output tied to its embedding; it can go on by one token."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DEVIATION = 0.02
Past = tuple[Tensor, Tensor]
"""Keys and values of the tokens before, (batch, heads, length, width / heads) each."""


class _Block(nn.Module):
    """Pre-norm causal self-attention and a GELU perceptron, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def _attend(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        batch, length, width = x.shape
        heads = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        causal = past is None
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        projected: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return projected, (key, value)

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """(batch, length, width) to the same shape; with a past, for one further token."""
        mixed, past = self._attend(self.norm_attention(x), past)
        x = x + mixed
        x = x + self.down(functional.gelu(self.up(self.norm_mlp(x)), approximate="tanh"))
        return x, past


class GPT2(nn.Module):
    """Tokens and learned positions through blocks, to scores by the embedding itself."""

    def __init__(self, *, layers: int, width: int, heads: int, context: int, symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self._begin(layers)
        self._seen: Tensor | None = None
        self._pasts: list[Past] = []

    def _begin(self, layers: int) -> None:
        """Small normal weights; those that end a branch are smaller, the more there are."""
        nn.init.normal_(self.embedding.weight, std=DEVIATION)
        nn.init.normal_(self.positions, std=DEVIATION)
        for name, item in self.blocks.named_modules():
            if isinstance(item, nn.Linear):
                ends = name.endswith(("out", "down"))
                nn.init.normal_(item.weight, std=DEVIATION / math.sqrt(2 * layers if ends else 1))
                nn.init.zeros_(item.bias)

    def _through(self, tokens: Tensor, first: int, pasts: list[Past]) -> tuple[Tensor, list[Past]]:
        x = self.embedding(tokens) + self.positions[first : first + tokens.shape[1]]
        result: list[Past] = []
        for place, block in enumerate(self.blocks):
            x, past = block(x, pasts[place] if pasts else None)
            result.append(past)
        return self.norm(x), result

    def forward(self, tokens: Tensor) -> Tensor:
        """Int64 (batch, t) with t up to the context to scores (batch, t, symbols)."""
        hidden, _ = self._through(tokens, 0, [])
        return functional.linear(hidden, self.embedding.weight)

    def next_scores(self, tokens: Tensor) -> Tensor:
        """Scores (batch, symbols) for the token after; cheap where only one has come since."""
        seen = self._seen
        grown = seen is not None and tokens.shape == (seen.shape[0], seen.shape[1] + 1)
        if grown and torch.equal(tokens[:, :-1], seen if seen is not None else tokens):
            fresh, first, pasts = tokens[:, -1:], tokens.shape[1] - 1, self._pasts
        else:
            fresh, first, pasts = tokens, 0, []
        hidden, self._pasts = self._through(fresh, first, pasts)
        self._seen = tokens.clone()
        return functional.linear(hidden[:, -1], self.embedding.weight)
