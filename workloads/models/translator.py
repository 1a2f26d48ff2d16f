"""A Transformer that reads and writes bytes: an encoder of shortened text, a decoder of bytes."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SYMBOLS = 256
END = 0
"""Begins and ends what is written, and fills up rows."""
SHORTENED = 4
"""Bytes that one place of the encoder represents."""
LENGTH = 1024
SLACK = 64
"""Bytes by which a translation may exceed twice its source."""
Pair = tuple[Tensor, Tensor]
"""Keys and values, (batch, heads, length, width / heads) each."""


def places(first: int, count: int, width: int) -> Tensor:
    """Sines and cosines of `count` places from `first` on, (count, width): Vaswani et al., 2017."""
    waves = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2))
    angles = torch.arange(first, first + count)[:, None] * waves
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class _Attention(nn.Module):
    """Attention with several heads; what is looked at may be kept and grow."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def _parted(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def pair(self, x: Tensor) -> Pair:
        """Keys and values of (batch, length, width)."""
        return self._parted(self.key(x)), self._parted(self.value(x))

    def forward(
        self, x: Tensor, pair: Pair, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """What (batch, length, width) finds there; `mask` is true where it may look."""
        mixed = functional.scaled_dot_product_attention(
            self._parted(self.query(x)), *pair, attn_mask=mask, is_causal=causal
        )
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
    )


class _Encoding(nn.Module):
    """Pre-norm self-attention over the source, and a perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = _Attention(width, heads)
        self.mlp = _mlp(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, length, width) to the same shape."""
        seen = self.norm(x)
        x = x + self.attention(seen, self.attention.pair(seen), mask)
        result: Tensor = x + self.mlp(x)
        return result


class _Decoding(nn.Module):
    """Pre-norm causal self-attention, attention to the source, and a perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_own = nn.LayerNorm(width)
        self.own = _Attention(width, heads)
        self.norm_source = nn.LayerNorm(width)
        self.source = _Attention(width, heads)
        self.mlp = _mlp(width)

    def forward(
        self, x: Tensor, source: Pair, mask: Tensor, past: Pair | None = None
    ) -> tuple[Tensor, Pair]:
        """(batch, length, width) to the same shape; with a past, for one further byte."""
        seen = self.norm_own(x)
        key, value = self.own.pair(seen)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        x = x + self.own(seen, (key, value), causal=past is None)
        x = x + self.source(self.norm_source(x), source, mask)
        return x + self.mlp(x), (key, value)


class Translator(nn.Module):
    """Bytes of one language to scores of the next byte of the other."""

    def __init__(self, *, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(SYMBOLS, width)
        self.shorten = nn.Conv1d(width, width, SHORTENED, SHORTENED)
        self.encoder = nn.ModuleList(_Encoding(width, heads) for _ in range(layers))
        self.norm_source = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(_Decoding(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)

    def _embedded(self, text: Tensor, first: int) -> Tensor:
        where = places(first, text.shape[1], self.width).to(text.device)
        result: Tensor = self.embedding(text.long()) * math.sqrt(self.width) + where
        return result

    def encode(self, source: Tensor) -> tuple[list[Pair], Tensor]:
        """Keys and values for each layer of the decoder, and where there is something to see."""
        source = functional.pad(source, (0, -source.shape[1] % SHORTENED))
        x = self.shorten(self._embedded(source, 0).transpose(1, 2)).transpose(1, 2)
        mask = (source.view(len(source), -1, SHORTENED) != END).any(dim=2)[:, None, None]
        mask[..., 0] = True  # even where a row is empty there is a place to look at
        for layer in self.encoder:
            x = layer(x, mask)
        x = self.norm_source(x)
        pairs = [layer.source.pair(x) for layer in self._layers()]
        return pairs, mask

    def _layers(self) -> list[_Decoding]:
        return [item for item in self.decoder if isinstance(item, _Decoding)]

    def _scores(self, x: Tensor) -> Tensor:
        return functional.linear(self.norm(x), self.embedding.weight)

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Uint8 (batch, n) and (batch, t), the latter from its beginning, to (batch, t, 256)."""
        pairs, mask = self.encode(source)
        x = self._embedded(written, 0)
        for layer, pair in zip(self._layers(), pairs, strict=True):
            x, _ = layer(x, pair, mask)
        return self._scores(x)

    def translate(self, source: Tensor) -> Tensor:
        """The likeliest byte again and again, until all rows have ended: float32 (batch, 1024)."""
        used = int((source != END).sum(dim=1).max())
        source = source[:, : max(1, used)]
        pairs, mask = self.encode(source)
        pasts: list[Pair | None] = [None] * len(pairs)
        result = source.new_zeros(len(source), LENGTH)
        last = source.new_zeros(len(source), 1)
        ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for place in range(min(LENGTH, 2 * used + SLACK)):
            x = self._embedded(last, place)
            for number, layer in enumerate(self._layers()):
                x, pasts[number] = layer(x, pairs[number], mask, pasts[number])
            choice = self._scores(x[:, -1]).argmax(dim=1).to(result.dtype)
            result[:, place] = choice.masked_fill(ended, END)
            last, ended = result[:, place : place + 1], ended | (result[:, place] == END)
            if bool(ended.all()):
                break
        return result.float()
