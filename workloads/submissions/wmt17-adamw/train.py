"""Translation by AdamW: pairs of like length together, an inverse square root (unverified).

Warm-up and fall of the rate and smoothing after Vaswani et al. (2017).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from harness.api import Array, Session

STEPS = 200_000
WARM_UP = 4_000
BATCH_BYTES = 65_536
"""Of translations, fillings included."""
LONGEST = 512
"""Bytes; pairs with a longer half are left out."""
LEARNING_RATE, SMOOTHING = 7e-4, 0.1
POOL = 20_000
"""Pairs that are sorted by length at a time."""
PIECE = 1 << 22
"""Bytes of the stream that are searched for pairs at a time."""
GRID = 1_000
"""Steps between moments at which weights may be handed over."""
Pair = tuple[Array, Array]


def pairs(stream: Array, begin: int) -> Iterator[Pair]:
    """Source and translation of each pair from the first whole one after `begin` on, for ever."""
    rest = np.empty(0, np.uint8)
    place, whole = begin, begin == 0
    while True:
        rest = np.concatenate([rest, stream[place : place + PIECE]])
        ends = np.flatnonzero(rest == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if whole:
                line = rest[start:end]
                cut = int((line == ord("\t")).argmax())
                if max(cut, len(line) - cut - 1) <= LONGEST:
                    yield line[:cut], line[cut + 1 :]
            whole = True
        rest = rest[ends[-1] + 1 :] if len(ends) else rest
        place += PIECE
        if place >= len(stream):
            place, rest, whole = 0, np.empty(0, np.uint8), True


def filled(rows: list[Array]) -> Tensor:
    """Rows of bytes side by side, zeros after the end of each: uint8 (rows, longest)."""
    result = np.zeros((len(rows), max(map(len, rows))), np.uint8)
    for row, data in zip(result, rows, strict=True):
        row[: len(data)] = data
    return torch.from_numpy(result)


def batches(stream: Array, places: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Sources and translations of like length, each batch of about as many bytes."""
    source = pairs(stream, int(places.integers(len(stream))))
    while True:
        pool = sorted((next(source) for _ in range(POOL)), key=lambda pair: len(pair[1]))
        groups: list[list[Pair]] = [[]]
        for pair in pool:
            if (len(groups[-1]) + 1) * (len(pair[1]) + 1) > BATCH_BYTES:
                groups.append([])
            groups[-1].append(pair)
        for number in places.permutation(len(groups)).tolist():
            chosen = groups[number]
            yield filled([item for item, _ in chosen]), filled([element for _, element in chosen])


def share(step: int) -> float:
    """Of the full rate: straight up, then with the inverse square root of the step."""
    done = (step + 1) / WARM_UP
    return min(done, math.sqrt(1 / done))


def translation_loss(model: nn.Module, source: Tensor, target: Tensor) -> Tensor:
    """Smoothed cross-entropy of each byte and of the end, given those before."""
    begun = functional.pad(target, (1, 0))
    ended = functional.pad(target, (0, 1)).long()
    # After the end, which is a zero too, nothing is asked for.
    before = functional.pad(ended, (1, 0), value=1)[:, :-1]
    truth = torch.where((ended == 0) & (before == 0), -100, ended)
    scores = model(source, begun).flatten(0, 1).float()
    return functional.cross_entropy(scores, truth.flatten(), label_smoothing=SMOOTHING)


def train(session: Session) -> None:
    """Train for a fixed number of steps."""
    torch.manual_seed(session.seed)
    device = "cuda" if torch.cuda.is_available() else session.device
    model = session.workload.model().to(device)
    optimizer = optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = optim.lr_scheduler.LambdaLR(optimizer, share)
    rows = batches(session.train["x"], np.random.default_rng(session.seed))
    for step in range(1, STEPS + 1):
        source, target = (item.to(device) for item in next(rows))
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = translation_loss(model, source, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % GRID == 0 or step == STEPS:
            session.log(step, loss=loss.item())
            if step == STEPS or session.snapshot_due():
                session.snapshot(model, step=step)
