"""Modded-nanogpt-class language model: the algorithmic half, for one GPU (unverified).

After the speedrun of modded-nanogpt (Keller Jordan and others, 2024) and its optimizer Muon,
rewritten: rotary places, normalised queries and keys, squared ReLU, projections that begin at
nil, held scores, and a rate that stays and then falls to nil.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Arrays, Session, WorkloadSpec

TOKENS, SYMBOLS = 50_257, 50_304
"""GPT-2's tokens, and these filled up to a multiple of 128."""
LAYERS, WIDTH, HEADS = 12, 768, 6
CAP = 30.0
"""Scores are held between plus and minus this."""
ROTARY_BASE = 10_000.0

STEPS = 3_250
ROWS, PIECES = 32, 16
"""Windows in a forward pass, and passes in a step: half a million tokens."""
FALLING_SHARE = 0.4
"""Part of the steps, at the end, over which the rates fall to nil."""
MUON_RATE, MUON_FIRST, MUON_LAST, MUON_WARM_UP = 0.02, 0.85, 0.95, 300
"""Rate; momentum at first and from then on, and the steps between."""
EMBEDDING_RATE, HEAD_RATE, BETAS = 0.3, 0.002, (0.9, 0.95)
GRID = 125
"""Steps between moments at which weights may be handed over."""

Past = tuple[Tensor, Tensor]
"""Keys and values so far, (batch, heads, length, width / heads)."""


def unit(x: Tensor) -> Tensor:
    """Each last axis brought to a root mean square of one."""
    return functional.rms_norm(x, (x.shape[-1],))


def rotated(x: Tensor, first: int) -> Tensor:
    """Pairs of features turned by angles that grow with the place (Su et al., 2021).

    `x` is (batch, heads, length, size), its first place being `first`.
    """
    length, half = x.shape[2], x.shape[3] // 2
    waves = ROTARY_BASE ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(first, first + length, device=x.device)[:, None] * waves
    sine, cosine = angles.sin().to(x.dtype), angles.cos().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], dim=-1)


class Block(nn.Module):
    """Causal attention and a perceptron, both on normalised input, both nil at first."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)
        for item in (self.out, self.down):
            nn.init.zeros_(item.weight)

    def _attended(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        batch, length, width = x.shape
        parts = self.qkv(x).view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        first = 0 if past is None else past[0].shape[2]
        query, key = (rotated(unit(part), first) for part in parts[:2])
        value = parts[2]
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return out, (key, value)

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """(batch, length, WIDTH) to the same shape; with a past, for one further token."""
        mixed, past = self._attended(unit(x), past)
        x = x + mixed
        return x + self.down(functional.relu(self.up(unit(x))).square()), past


class Net(nn.Module):
    """Tokens to held scores; embedding and head are not tied."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, SYMBOLS, bias=False)
        nn.init.zeros_(self.head.weight)

    def hidden(self, tokens: Tensor, pasts: list[Past]) -> tuple[Tensor, list[Past]]:
        """What the head sees, and keys and values of each block so far."""
        x = unit(self.embedding(tokens))
        result: list[Past] = []
        for place, block in enumerate(self.blocks):
            x, past = block(x, pasts[place] if pasts else None)
            result.append(past)
        return unit(x), result

    def held(self, hidden: Tensor) -> Tensor:
        """Scores, bent so that none is beyond the cap."""
        scores: Tensor = self.head(hidden)
        return CAP * torch.tanh(scores.float() / CAP)

    def forward(self, tokens: Tensor) -> Tensor:
        """Int64 (batch, length) to float32 (batch, length, SYMBOLS)."""
        return self.held(self.hidden(tokens, [])[0])


class Muon(optim.Optimizer):
    """Nesterov momentum whose update is made semi-orthogonal (Keller Jordan, 2024)."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(weights, {"lr": lr, "momentum": MUON_LAST})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                self._move(weight, group["lr"], group["momentum"])

    def _move(self, weight: Tensor, rate: float, share: float) -> None:
        if weight.grad is None:
            return
        momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(weight.grad, 1 - share)
        update = orthogonalized(torch.lerp(weight.grad, momentum, share))
        weight.sub_(update, alpha=rate * max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Nearly the semi-orthogonal matrix nearest to this one, by five Newton-Schulz steps."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.bfloat16() if wide.is_cuda else wide
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: Tensor = x.to(matrix.dtype)
    return result if wide is matrix else result.T


def share(step: int) -> float:
    """Of the full rate: all of it, then straight down to nil."""
    return min(1.0, (STEPS - step) / (FALLING_SHARE * STEPS))


def momentum_at(step: int) -> float:
    """Muon's momentum, lower at first."""
    done = min(1.0, step / MUON_WARM_UP)
    return MUON_FIRST + done * (MUON_LAST - MUON_FIRST)


def optimizers_of(net: Net) -> list[optim.Optimizer]:
    """Muon for the blocks' matrices, Adam for embedding and head."""
    groups = [
        {"params": net.embedding.parameters(), "lr": EMBEDDING_RATE},
        {"params": net.head.parameters(), "lr": HEAD_RATE},
    ]
    return [Muon(net.blocks.parameters(), MUON_RATE), optim.Adam(groups, betas=BETAS)]


def windows(stream: Array, window: int, begin: int) -> Iterator[Tensor]:
    """One row after another of the stream from `begin` on, for ever: int64 (rows, window + 1)."""
    place, room = begin, ROWS * window + 1
    while True:
        if place + room > len(stream):
            place = 0
        piece = torch.from_numpy(stream[place : place + room].astype(np.int64))
        yield piece.unfold(0, window + 1, window)
        place += ROWS * window


def _set(optimizers: list[optim.Optimizer], firsts: list[list[float]], step: int) -> None:
    """Rates and momentum of a step."""
    for item, rates in zip(optimizers, firsts, strict=True):
        for group, rate in zip(item.param_groups, rates, strict=True):
            group["lr"] = rate * share(step)
            if "momentum" in group:
                group["momentum"] = momentum_at(step)


def train(session: Session) -> None:
    """Train for a fixed number of steps, straight through the stream."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    net = Net().to(device)
    forward: Callable[[Tensor], Tensor] = torch.compile(net) if device == "cuda" else net
    optimizers = optimizers_of(net)
    firsts = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    window = session.workload.outputs.shape[0]
    begin = int(np.random.default_rng(session.seed).integers(len(session.train["x"])))
    rows = windows(session.train["x"], window, begin)
    for step in range(1, STEPS + 1):
        _set(optimizers, firsts, step - 1)
        for _ in range(PIECES):
            tokens = next(rows).to(device, non_blocking=True)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                scores = forward(tokens[:, :-1])
            loss = functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
            (loss / PIECES).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if step % GRID == 0 or step == STEPS:
            session.log(step, loss=loss.item())
            if step == STEPS or session.snapshot_due():
                session.snapshot(net, step=step)


class Teller:
    """Scores for the token after; cheap where only one has come since the last question."""

    def __init__(self, net: Net, symbols: int) -> None:
        self._net = net
        self._symbols = symbols
        self._seen: Tensor | None = None
        self._pasts: list[Past] = []

    def __call__(self, inputs: Arrays) -> Array:
        """`x` int64 (rows, length so far) to float32 (rows, symbols)."""
        tokens = torch.from_numpy(np.ascontiguousarray(inputs["x"]))
        seen = self._seen
        grown = (
            seen is not None
            and tokens.shape == (len(seen), seen.shape[1] + 1)
            and torch.equal(tokens[:, :-1], seen)
        )
        with torch.inference_mode():
            fresh = tokens[:, -1:] if grown else tokens
            hidden, self._pasts = self._net.hidden(fresh, self._pasts if grown else [])
            scores = self._net.held(hidden[:, -1])
        self._seen = tokens
        return scores[:, : self._symbols].numpy()


def predictor(weights: Mapping[str, Tensor], workload: WorkloadSpec) -> Teller:
    """The net with these weights, on the processor."""
    del workload
    net = Net()
    net.load_state_dict(dict(weights))
    return Teller(net.eval(), TOKENS)
