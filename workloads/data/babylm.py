"""BabyLM's ten million words as one stream of bytes, from its plain text files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part

DOMAINS = (
    "bnc_spoken",
    "childes",
    "gutenberg",
    "open_subtitles",
    "simple_wiki",
    "switchboard",
)
"""Sources of the texts, in the order in which they follow each other."""
PLACES = {"train": ("train_10M", "train"), "validation": ("dev", "dev"), "test": ("test", "test")}
"""Split to its folder and the ending of its files."""
SYMBOLS = 256
CONTEXT = 1024
"""Bytes of a hidden window, each of which is to be predicted from those before."""
WINDOWS = 256
CHUNK = 1 << 24
"""Bytes that are held in memory at once."""
HOW = (
    "fetch the text-only sets of the BabyLM challenge (babylm.github.io; osf.io/ad7qg) and unpack "
    "train_10M, dev and test, each with one file for each of the six sources, into one folder"
)


def text_file(path: Path) -> Array:
    """The bytes of one file of text, mapped.

    Raises:
        DataMissing: it is not there.
        DataFault: it is empty, or no UTF-8, as where it was cut off within a character.
    """
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    if not path.stat().st_size:
        raise DataFault(f"{path}: empty; get it again")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            while file.read(CHUNK):
                pass
    except UnicodeDecodeError as error:
        message = f"{path}: no UTF-8 at byte {error.start} of a piece: cut off or damaged"
        message += "; get it again"
        raise DataFault(message) from error
    return np.memmap(path, np.uint8, "r")


def _texts(folder: Path, split: str) -> list[Array]:
    place, ending = PLACES[split]
    if not (folder / place).is_dir():
        raise DataMissing(f"{folder / place}: no such folder; {HOW}")
    return [text_file(folder / place / f"{name}.{ending}") for name in DOMAINS]


def _stream(name: str, texts: list[Array]) -> Iterator[Part]:
    for text in texts:
        for start in range(0, len(text), CHUNK):
            yield name, np.array(text[start : start + CHUNK])


def _windows(folder: Path, texts: list[Array]) -> Iterator[Part]:
    """Hidden windows, evenly spaced over all test texts: what is seen, what is to be predicted."""
    stream = np.concatenate(texts)
    count = min(WINDOWS, len(stream) // (CONTEXT + 1))
    if not count:
        message = f"{folder}: {len(stream)} bytes are less than one window of {CONTEXT + 1}"
        message += "; get the test texts again"
        raise DataFault(message)
    starts = np.arange(count) * (len(stream) // count)
    windows = stream[starts[:, None] + np.arange(CONTEXT + 1)].astype(np.int64)
    yield "inputs/x", windows[:, :-1]
    yield "labels/y", windows[:, 1:]
    yield "labels/bytes", np.ones((count, CONTEXT), np.int64)


def read(folder: Path) -> Iterator[Part]:
    """The training texts, the development texts to validate, and windows of the test texts.

    Raises:
        DataMissing: a folder or a file is not there.
        DataFault: a file is empty, damaged or cut off, or the test texts are too short.
    """
    for split in ("train", "validation"):
        yield from _stream(f"{split}/x", _texts(folder, split))
    yield from _windows(folder / "test", _texts(folder, "test"))


def counted(folder: Path) -> dict[str, int]:
    """Words of the training texts in millions, rounded: what the track is named for."""
    words = 0
    for text in _texts(folder, "train"):
        words += len(bytes(text).split())
    return {"million words": round(words / 1e6)}


BABYLM = Packing(
    name="babylm-small",
    how=HOW,
    read=read,
    rows={"inputs": WINDOWS, "million words": 10},
    counts=counted,
)
