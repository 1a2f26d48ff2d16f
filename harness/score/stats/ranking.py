"""Ranking of entries: order, ties as shared letters, and the ranks that the data allow."""

import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.score.stats.all_pairs import pairwise_tests
from harness.score.stats.comparison import detectable_ratio
from harness.score.stats.intervals import holm_array
from harness.score.stats.sample import Sample, mean_log


class Place(NamedTuple):
    """Where one entry stands."""

    rank: int
    """By value, from 1."""
    rank_low: int
    """Best rank that the data allow: 1 + the entries shown to be better."""
    rank_high: int
    """Worst rank that the data allow: all entries less those shown to be worse."""
    letters: str
    """Entries that share a letter are not significantly different."""


class RankedEntry(NamedTuple):
    """An entry to be ranked."""

    key: tuple[str, ...]
    """Breaks equal values, so that the order of the input never matters."""
    value: float
    """The cost that ranks."""
    sample: Sample


class Ranking(NamedTuple):
    """The order and what it is worth."""

    order: tuple[int, ...]
    """Indices of the entries, best first."""
    places: tuple[Place, ...]
    """In that order."""
    separated: bool
    """Whether the first two are significantly different."""
    detectable_ratio: float | None
    """Minimum detectable difference of the first two, as a ratio minus 1, power 0.9."""


def letter(index: int) -> str:
    """a, b ... z, aa, ab ...: the name of a tie group."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = string.ascii_lowercase[rest] + name
    return name


def _columns(count: int, different: Sequence[tuple[int, int]]) -> set[int]:
    columns = {(1 << count) - 1}
    for i, j in different:
        both = (1 << i) | (1 << j)
        split = {column for column in columns if column & both == both}
        if split:
            halves = {column & ~(1 << k) for column in split for k in (i, j)}
            columns -= split
            # None of the others lies in a half: it would have lain in the column that was split.
            columns |= {one for one in halves if not _absorbed(one, columns, halves)}
    return columns


def _absorbed(one: int, *groups: set[int]) -> bool:
    """Whether a column lies in another one."""
    for group in groups:
        for other in group:
            if one & other == one and one != other:
                return True
    return False


def _lowest_first(column: int) -> str:
    return bin(column)[:1:-1]


def compact_letters(count: int, different: Sequence[tuple[int, int]]) -> list[str]:
    """Letters so that two entries share one exactly if they are not in `different`.

    Insert and absorb: Piepho, J. Comput. Graph. Statist. 13 (2004).

    Args:
        count: Number of entries, best first.
        different: Pairs of indices that are significantly different.

    Returns:
        For each entry its letters; groups are named in the order of their best member.
    """
    columns = sorted(_columns(count, different), key=_lowest_first, reverse=True)
    names = [letter(index) for index in range(len(columns))]
    joint = " " if len(columns) > len(string.ascii_lowercase) else ""
    return [
        joint.join(name for name, column in zip(names, columns, strict=True) if column >> i & 1)
        for i in range(count)
    ]


def different_pairs(
    samples: Sequence[Sample], values: Sequence[float], alpha: float
) -> set[tuple[int, int]]:
    """Pairs (i, j), i < j, that are significantly different after Holm's correction.

    A pair stays tied where the means, or the difference that the test uses, point the other way
    than the values: failed runs or the machine's state reversed the order.
    """
    tests = pairwise_tests(samples)
    means, value = np.array([mean_log(sample) for sample in samples]), np.array(values)
    i, j = tests.i, tests.j
    by_mean, by_value = means[i] < means[j], value[i] < value[j]
    agree = (by_mean == by_value) & (by_value == tests.first_lower)
    different = (holm_array(tests.p) < alpha) & agree
    return set(zip(i[different].tolist(), j[different].tolist(), strict=True))


def places(count: int, different: set[tuple[int, int]]) -> Iterator[Place]:
    """Places of so many entries, best first, of which those pairs (i, j), i < j, differ."""
    letters = compact_letters(count, sorted(different))
    better, worse = Counter(j for _, j in different), Counter(i for i, _ in different)
    for i in range(count):
        yield Place(i + 1, 1 + better[i], count - worse[i], letters[i])


def rank(entries: Sequence[RankedEntry], alpha: float) -> Ranking:
    """Rank by value, lowest first, and say what the data can and cannot separate.

    Args:
        entries: The entries, in any order.
        alpha: Two-sided level of separation over all pairs together.
    """
    indices = range(len(entries))
    order = sorted(indices, key=lambda i: (entries[i].value, entries[i].key))
    samples = [entries[i].sample for i in order]
    values = [entries[i].value for i in order]
    different = different_pairs(samples, values, alpha)
    count = len(order)
    lead = None
    if count > 1:
        lead = detectable_ratio(samples[0], samples[1], alpha / (count * (count - 1)))
    return Ranking(tuple(order), tuple(places(count, different)), (0, 1) in different, lead)
