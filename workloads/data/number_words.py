"""Numbers and their English names as rows of tokens whose numbering is drawn for each run."""

import numpy as np
import numpy.typing as npt

from harness.api import Splits

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
HUNDRED, THOUSAND = 100, 1000
PAD, GIVEN, END = "", "=", ";"
VOCABULARY = (PAD, GIVEN, END, *"0123456789", *UNITS, *TENS, "hundred", "thousand", "and")
ROW = 22
"""Tokens of the longest row."""
ROWS = (10_500, 500, 500)
"""To train, to validate, hidden."""
LARGEST = 100_000

Rows = npt.NDArray[np.int64]


def below_hundred(number: int) -> list[str]:
    """Words of 0 to 99: 45 is forty five."""
    if number < len(UNITS):
        return [UNITS[number]]
    tens, rest = divmod(number, 10)
    return [TENS[tens - 2], *(below_hundred(rest) if rest else [])]


def below_thousand(number: int) -> list[str]:
    """Words of 0 to 999: 345 is three hundred and forty five."""
    hundreds, rest = divmod(number, HUNDRED)
    if not hundreds:
        return below_hundred(rest)
    return [UNITS[hundreds], "hundred", *(["and", *below_hundred(rest)] if rest else [])]


def in_words(number: int) -> list[str]:
    """English words of a number from 0 to 99,999; 1005 is one thousand five."""
    thousands, rest = divmod(number, THOUSAND)
    if not thousands:
        return below_thousand(rest)
    return [*below_hundred(thousands), "thousand", *(below_thousand(rest) if rest else [])]


def row_of(number: int) -> list[str]:
    """Digits, the sign for given, words, the sign for end, padding."""
    tokens = [*str(number), GIVEN, *in_words(number), END]
    return tokens + [PAD] * (ROW - len(tokens))


def targets(rows: Rows, codes: dict[str, int]) -> Rows:
    """What each token but the last is followed by; -1 up to the sign for given, and for padding."""
    following = rows[:, 1:].copy()
    answered = np.cumsum(rows[:, :-1] == codes[GIVEN], axis=1) > 0
    following[~answered | (following == codes[PAD])] = -1
    return following


def number_splits(seed: int) -> Splits:
    """The instance of a seed: other numbers, and another code for each token.

    `x` is int64 (rows, 21), `y` the token that follows each, -1 where none is asked for.
    """
    generator = np.random.default_rng([seed, 0x6E75])
    drawn = generator.permutation(len(VOCABULARY)).tolist()
    codes = dict(zip(VOCABULARY, drawn, strict=True))
    numbers = generator.permutation(LARGEST)[: sum(ROWS)].tolist()
    rows = np.array([[codes[token] for token in row_of(number)] for number in numbers])
    x, y = np.ascontiguousarray(rows[:, :-1]), targets(rows, codes)
    a, b = ROWS[0], ROWS[0] + ROWS[1]
    return Splits(
        train={"x": x[:a], "y": y[:a]},
        validation={"x": x[a:b], "y": y[a:b]},
        test_inputs={"x": x[b:]},
        test_labels={"y": y[b:]},
    )
