"""Token shards as llm.c and modded-nanogpt publish them: a header of 256 words, then uint16."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part

MAGIC, VERSION = 20240520, 1
HEADER_WORDS = 256
SYMBOLS = 50_257
"""GPT-2's tokens, the end of a text included."""
CONTEXT = 1024
TEST_TOKENS = 10_485_760
"""The first tokens of the validation shard, on which 3.28 nats are asked for elsewhere."""
STRIDE = TEST_TOKENS // 256
"""One hidden window in so many of them."""
VALIDATION_SHARE = 100
CHUNK = 1 << 24
"""Tokens that are held in memory at once."""
VOCABULARY = "encoder.json"
HOW = (
    "fetch fineweb_train_*.bin and fineweb_val_000000.bin (fineweb10B, tokens of GPT-2) by "
    "data/cached_fineweb10B.py of modded-nanogpt, and encoder.json of GPT-2 beside them"
)


def token_file(path: Path) -> Array:
    """The tokens of one shard, mapped.

    Raises:
        DataFault: another magic number or version, or another length than the header says.
    """
    header = np.fromfile(path, "<i4", HEADER_WORDS)
    if len(header) < HEADER_WORDS or tuple(header[:2]) != (MAGIC, VERSION):
        raise DataFault(f"{path}: no token shard (magic {MAGIC}, version {VERSION}); get it again")
    begin, count = 4 * HEADER_WORDS, int(header[2])
    if path.stat().st_size != begin + 2 * count or count <= 0:
        result = (path.stat().st_size - begin) // 2
        raise DataFault(
            f"{path}: holds {result} tokens where its header says {count}; get it again"
        )
    return np.memmap(path, "<u2", "r", begin, (count,))


def token_bytes(path: Path) -> Array:
    """Bytes of text for each token: each character of GPT-2's vocabulary represents one.

    Raises:
        DataMissing: there is no vocabulary.
        DataFault: it is another one.
    """
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    try:
        places = json.loads(path.read_text(encoding="utf-8"))
        names = {number: name for name, number in places.items()}
        result = np.array([len(names[number]) for number in range(SYMBOLS)])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataFault(
            f"{path}: no vocabulary of {SYMBOLS} tokens ({error!r}); get GPT-2's"
        ) from error
    # `<|endoftext|>` is no text.
    result[SYMBOLS - 1] = 0
    return result


def _pieces(name: str, tokens: Array, path: Path) -> Iterator[Part]:
    """Tokens by and by, each of them checked."""
    for start in range(0, len(tokens), CHUNK):
        piece = np.array(tokens[start : start + CHUNK], dtype=np.uint16)
        if piece.max() >= SYMBOLS:
            raise DataFault(
                f"{path}: token {piece.max()} is out of range 0 to {SYMBOLS - 1}; get it again"
            )
        yield name, piece


def _windows(path: Path, lengths: Array) -> Iterator[Part]:
    """Evenly spaced hidden windows: inputs, the tokens to predict, and their bytes."""
    tokens = token_file(path)[:TEST_TOKENS]
    starts = range(0, len(tokens) - CONTEXT, STRIDE)
    if not starts:
        raise DataFault(
            f"{path}: {len(tokens)} tokens are less than one window of {CONTEXT + 1}; get it again"
        )
    (checked,) = (
        rows
        for _, rows in _pieces("", np.stack([tokens[at : at + CONTEXT + 1] for at in starts]), path)
    )
    windows = checked.astype(np.int64)
    yield "inputs/x", windows[:, :-1]
    yield "labels/y", windows[:, 1:]
    yield "labels/bytes", lengths[windows[:, 1:]]


def read(folder: Path, train: str, test: str) -> Iterator[Part]:
    """One stream of tokens to train, the end of the last shard to validate, and hidden windows.

    Args:
        folder: Where the shards and the vocabulary lie.
        train: Pattern of the training shards' names.
        test: Name of the shard that holds the hidden tokens.

    Raises:
        DataMissing: a file is not there.
        DataFault: a file is not as its format says.
    """
    shards = sorted(folder.glob(train))
    if not shards or not (folder / test).is_file():
        raise DataMissing(f"{folder}: {train} or {test} is not in it; {HOW}")
    lengths = token_bytes(folder / VOCABULARY)
    for path in shards[:-1]:
        yield from _pieces("train/x", token_file(path), path)
    last = token_file(shards[-1])
    cut = len(last) - max(1, len(last) // VALIDATION_SHARE)
    yield from _pieces("train/x", last[:cut], shards[-1])
    yield from _pieces("validation/x", last[cut:], shards[-1])
    yield from _windows(folder / test, lengths)


FINEWEB = Packing(
    name="fineweb",
    how=HOW,
    read=partial(read, train="fineweb_train_*.bin", test="fineweb_val_000000.bin"),
    rows={"inputs": 256},
)
