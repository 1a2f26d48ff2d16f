"""Places among entries: order, ties as shared letters, and the ranks that the data allow."""

import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.score.contrast import resolvable_ratio
from harness.score.pairs import differences, under
from harness.score.stats import Sample, holm_adjusted, mean_log


class Place(NamedTuple):
    """Where one entry stands."""

    rank: int
    """By value, from 1."""
    rank_low: int
    """Best rank that the data allow: 1 + the entries shown to be better."""
    rank_high: int
    """Worst rank that the data allow: all entries less those shown to be worse."""
    letters: str
    """Entries that share a letter cannot be told apart."""


class Contender(NamedTuple):
    """What is ranked."""

    key: tuple[str, ...]
    """Breaks equal values, so that the order of the input never matters."""
    value: float
    """The cost that ranks."""
    sample: Sample


class Ranking(NamedTuple):
    """The order and what it is worth."""

    order: tuple[int, ...]
    """Indices of the contenders, best first."""
    places: tuple[Place, ...]
    """In that order."""
    separated: bool
    """Whether the first is told apart from the second."""
    resolvable_ratio: float | None
    """Lead of the first over the second that these data could have seen, power 0.9."""


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
        different: Pairs of indices that were told apart.

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


def told_apart(
    samples: Sequence[Sample], values: Sequence[float], alpha: float
) -> set[tuple[int, int]]:
    """Pairs (i, j), i before j, that differ after Holm's correction over all pairs.

    A pair whose means, or whose difference by the test, point against its values (failures turned
    the order round, or the hour did) stays tied.
    """
    found = differences(samples)
    means = [mean_log(sample) for sample in samples]
    return {
        (i, j)
        for i, j, first_lower in under(alpha, found, holm_adjusted(found.p), len(samples))
        if (means[i] < means[j]) == (values[i] < values[j]) == first_lower
    }


def places(count: int, different: set[tuple[int, int]]) -> Iterator[Place]:
    """Places of so many entries, best first, of which those pairs (i, j), i < j, differ."""
    letters = compact_letters(count, sorted(different))
    better, worse = Counter(j for _, j in different), Counter(i for i, _ in different)
    for i in range(count):
        yield Place(i + 1, 1 + better[i], count - worse[i], letters[i])


def rank(contenders: Sequence[Contender], alpha: float) -> Ranking:
    """Rank by value, lowest first, and say what the data can and cannot separate.

    Args:
        contenders: The entries, in any order.
        alpha: Two-sided level of separation over all pairs together.
    """
    indices = range(len(contenders))
    order = sorted(indices, key=lambda i: (contenders[i].value, contenders[i].key))
    samples = [contenders[i].sample for i in order]
    values = [contenders[i].value for i in order]
    different = told_apart(samples, values, alpha)
    count = len(order)
    lead = None
    if count > 1:
        lead = resolvable_ratio(samples[0], samples[1], alpha / (count * (count - 1)))
    return Ranking(tuple(order), tuple(places(count, different)), (0, 1) in different, lead)
