"""The tests of all pairs of entries of a board at once.

A board of n entries has n (n - 1) / 2 pairs. The Welch tests depend on the means and variances of
the entries alone and are computed in arrays; pairs that share an instance may be paired, and are
tested one by one.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.score.stats.comparison import pairwise_test, two_sided_p
from harness.score.stats.sample import Sample, mean_log, normalized_to_reference, variance_of_mean

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

BLOCK = 1 << 16
"""Pairs computed together; thousands of entries have millions of pairs."""


class PairTests(NamedTuple):
    """The tests of all pairs (i, j), i < j, in lexical order."""

    i: Ints
    j: Ints
    p: Floats
    """Two-sided."""
    first_lower: Flags
    """Whether the first costs less, by what the test compares."""
    comparable: Flags


def _summaries(samples: Sequence[Sample | None]) -> Floats:
    """Mean logarithm, its variance, and n of each entry, in columns; NaN where unknown."""
    rows = [
        (np.nan, np.nan, 0)
        if sample is None
        else (mean_log(sample), variance_of_mean(sample), len(sample.logs))
        for sample in samples
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _sharing_an_instance(samples: Sequence[Sample]) -> set[tuple[int, int]]:
    """Pairs of entries of which at least one run has the same instance."""
    by_block: dict[str, set[int]] = defaultdict(set)
    for at, sample in enumerate(samples):
        for moment in (sample.moments or {}).values():
            by_block[moment.block].add(at)
    by_block.pop("", None)
    groups = {tuple(sorted(group)) for group in by_block.values()}
    return {(i, j) for group in groups for k, i in enumerate(group) for j in group[k + 1 :]}


class _Board:
    """What the Welch tests of a board need, by entry."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Summarize each entry once."""
        references = [
            item.reference_ratios.sha256 if item.reference_ratios else "" for item in samples
        ]
        self._reference = np.unique(references, return_inverse=True)[1]
        self._plain = _summaries(samples)
        self._ratios = _summaries([normalized_to_reference(sample) for sample in samples])
        self._independent = np.array([sample.is_independent for sample in samples], dtype=bool)
        self._open_ended = np.array([sample.open_ended for sample in samples], dtype=bool)

    def tests(self, i: Ints, j: Ints) -> tuple[Floats, Flags, Flags]:
        """Two-sided p, whether the first is lower, and whether the pair is comparable."""
        via_reference = self._reference[i] == self._reference[j]
        via_reference &= (self._ratios[i, 2] > 0) & (self._ratios[j, 2] > 0)
        a, b = (
            np.where(via_reference[:, None], self._ratios[at], self._plain[at]) for at in (i, j)
        )
        difference, variance = a[:, 0] - b[:, 0], a[:, 1] + b[:, 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            degrees = variance**2 / (a[:, 1] ** 2 / (a[:, 2] - 1) + b[:, 1] ** 2 / (b[:, 2] - 1))
            p = 2 * special.stdtr(degrees, -np.abs(difference) / np.sqrt(variance))
        comparable = via_reference | self._independent[i] | self._independent[j]
        cheaper_is_open = self._open_ended[np.where(difference <= 0, i, j)]
        untested = ~comparable | np.isnan(p) | cheaper_is_open
        return np.where(untested, 1.0, np.minimum(1.0, p)), difference < 0, comparable


def pairwise_tests(samples: Sequence[Sample]) -> PairTests:
    """The tests of `pairwise_test` for all pairs."""
    board, count = _Board(samples), len(samples)
    i, j = np.triu_indices(count, 1)
    p, first_lower, comparable = np.ones(len(i)), np.empty(len(i), bool), np.empty(len(i), bool)
    for begin in range(0, len(i), BLOCK):
        at = slice(begin, begin + BLOCK)
        p[at], first_lower[at], comparable[at] = board.tests(i[at], j[at])
    for one, two in _sharing_an_instance(samples):
        test = pairwise_test(samples[one], samples[two])
        place = one * (2 * count - one - 1) // 2 + two - one - 1
        p[place] = two_sided_p(test, samples[one], samples[two])
        first_lower[place] = test.difference < 0
        comparable[place] = test.kind != "not_comparable"
    return PairTests(i, j, p, first_lower, comparable)


def all_comparable(samples: Sequence[Sample]) -> bool:
    """Whether every two entries can be compared."""
    return bool(pairwise_tests(samples).comparable.all())
