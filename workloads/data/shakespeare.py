"""Eight plays by Shakespeare as characters, with blocks all over them hidden."""

import lzma
from functools import cache

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.packaged import packaged

FILE = "shakespeare.txt.xz"
SHA256 = "670885b39259223124ed17cb87379c9a2272208d3e7ca737e371fccfbef47325"
BLOCK = 4096
"""Characters."""
HIDDEN, VALIDATING = (9, 19), (4,)
"""Places among twenty blocks."""
WINDOW = 32
SYMBOLS = 76
WINDOWS_A_BLOCK = 5

Codes = npt.NDArray[np.uint8]


@cache
def text() -> str:
    """All 1,036,467 characters.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: its hash is another.
    """
    return lzma.decompress(packaged(FILE, SHA256)).decode()


@cache
def symbols() -> str:
    """The 76 characters that occur, by code point; a token is its character's place here."""
    return "".join(sorted(set(text())))


@cache
def codes() -> Codes:
    """The text as tokens."""
    places = np.zeros(256, dtype=np.uint8)
    places[np.frombuffer(symbols().encode("latin-1"), dtype=np.uint8)] = np.arange(len(symbols()))
    tokens = places[np.frombuffer(text().encode("latin-1"), dtype=np.uint8)]
    tokens.flags.writeable = False
    return tokens


@cache
def blocks() -> tuple[list[Codes], list[Codes], list[Codes]]:
    """To train, to validate, hidden: of twenty blocks the fifth validates, two are hidden.

    What is left after the last whole block trains too.
    """
    every = [codes()[start : start + BLOCK] for start in range(0, len(codes()), BLOCK)]
    last = len(every) - 1
    test = [at for at in range(last) if at % 20 in HIDDEN]
    validation = [at for at in range(last) if at % 20 in VALIDATING]
    train = sorted(set(range(last + 1)) - set(test) - set(validation))
    parts = ([every[at] for at in chosen] for chosen in (train, validation, test))
    return next(parts), next(parts), next(parts)


def shakespeare_splits(window: int = WINDOW) -> Splits:
    """`x` is one text to train and one to validate, and int64 windows (rows, window) for the test.

    Windows lie apart, since of two neighbours the second's first character gives the first's last
    label away.
    """
    train, validation, test = blocks()
    gap = BLOCK // WINDOWS_A_BLOCK
    starts = range(gap // 2, BLOCK - window, gap)
    windows = np.stack([block[at : at + window + 1] for block in test for at in starts])
    return Splits(
        train={"x": np.concatenate(train)},
        validation={"x": np.concatenate(validation)},
        test_inputs={"x": windows[:, :-1].astype(np.int64)},
        test_labels={"y": windows[:, 1:].astype(np.int64)},
    )
