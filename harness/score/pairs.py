"""Every pair of a board at once: the tests of `contrast`, digit for digit.

A board of n entries has n (n - 1) / 2 pairs. Nearly all of them never took turns, so that their
tests hang on what each entry was summed up to, and are worked out in arrays. Those that may have
taken turns are held against each other one by one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.score.contrast import contrast, in_multiples, two_sided
from harness.score.stats import Sample, mean_log, variance_of_mean
from harness.score.student import cdfs

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 16
"""Pairs that are worked out together: thousands of entries have millions of pairs."""


class Differences(NamedTuple):
    """The tests of all pairs (i, j), i < j, in that order."""

    p: Floats
    """Two-sided."""
    first_lower: Flags
    """Whether the first costs less by what the test compares."""


def differences(samples: Sequence[Sample]) -> Differences:
    """The tests of all pairs (i, j), i < j, in that order."""
    board, total = _Board(samples), len(samples) * (len(samples) - 1) // 2
    found = Differences(np.empty(total), np.empty(total, bool))
    for begin in range(0, total, _BLOCK):
        flat = np.arange(begin, min(begin + _BLOCK, total))
        p, first_lower = board.tests(*places_of(flat, len(samples)))
        found.p[flat], found.first_lower[flat] = p, first_lower
    return found


def differ_ps(samples: Sequence[Sample]) -> list[float]:
    """Two-sided p of all pairs (i, j), i < j, in that order."""
    found: list[float] = differences(samples).p.tolist()
    return found


def places_of(flat: Ints, count: int) -> tuple[Ints, Ints]:
    """Pairs (i, j) of so many entries by their number among all, i < j, in that order."""
    rows = np.arange(count)
    begins = rows * (2 * count - rows - 1) // 2
    one = np.searchsorted(begins[:-1], flat, side="right") - 1
    return one, flat - begins[one] + one + 1


class _Figures(NamedTuple):
    """Of each entry: mean logarithm, its variance, number of values; NaN where nothing tells it."""

    mean: Floats
    variance: Floats
    n: Floats

    @classmethod
    def of(cls, samples: Sequence[Sample | None]) -> "_Figures":
        """Sum up each sample once."""
        rows = [_summed_up(sample) for sample in samples]
        return cls(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)

    def but(self, which: Flags, other: "_Figures", at: Ints) -> "_Figures":
        """Those of the places, from the other figures where it is flagged."""
        pairs = zip(self, other, strict=True)
        return _Figures(*(np.where(which, theirs[at], mine[at]) for mine, theirs in pairs))


def _summed_up(sample: Sample | None) -> tuple[float, float, int]:
    if sample is None:
        return np.nan, np.nan, 0
    variance = variance_of_mean(sample)
    return mean_log(sample), np.nan if variance is None else variance, len(sample.logs)


class _Hours(NamedTuple):
    """When the runs of each entry began, as numbers that are in the order of time."""

    since: Ints
    until: Ints
    timed: Flags
    """Whether the hours of its runs are those of other entries'."""
    alone: Flags
    """Whether any run began at a time of its own; else none is in a pair or in a series."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "_Hours":
        """From the moments of the runs."""
        starts = [[moment.started for moment in (e.moments or {}).values()] for e in samples]
        order = {start: at for at, start in enumerate(sorted({"", *chain.from_iterable(starts)}))}
        return cls(
            np.array([order[min(start, default="")] for start in starts], dtype=np.int64),
            np.array([order[max(start, default="")] for start in starts], dtype=np.int64),
            np.array([sample.moments is not None for sample in samples], dtype=bool),
            np.array([_any_alone(*item) for item in zip(samples, starts, strict=True)], dtype=bool),
        )

    def turns(self, one: Ints, two: Ints) -> Flags:
        """Pairs whose runs may have taken turns: not those of which one entry came first."""
        told = (self.until[one] > 0) & (self.until[two] > 0)
        apart = (self.until[one] < self.since[two]) | (self.until[two] < self.since[one])
        both = self.timed[one] & self.timed[two] & self.alone[one] & self.alone[two]
        found: Flags = both & ~(told & apart)
        return found


def _any_alone(sample: Sample, starts: Sequence[str]) -> bool:
    same = sample.moments is not None and sample.moments.keys() == sample.logs.keys()
    return not same or 1 in Counter(starts).values()


class _Board:
    """What the tests of all pairs need of the entries."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Sum up each entry once."""
        ratios = [in_multiples(sample) for sample in samples]
        names = [sample.relative.reference if sample.relative else "" for sample in samples]
        codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
        self._samples = samples
        self._plain, self._ratios = _Figures.of(samples), _Figures.of(ratios)
        self._reference = np.array([codes[name] for name in names], dtype=np.int64)
        self._drift = np.array([sample.drift for sample in samples], dtype=np.float64)
        self._open = np.array([sample.open_ended for sample in samples], dtype=bool)
        self._hours = _Hours.of(samples)

    def tests(self, one: Ints, two: Ints) -> Differences:
        """The tests of some pairs."""
        found = self._without_turns(one, two)
        for at in np.flatnonzero(self._hours.turns(one, two)).tolist():
            a, b = self._samples[one[at]], self._samples[two[at]]
            told = contrast(a, b)
            found.p[at], found.first_lower[at] = two_sided(told, a, b), told.difference < 0
        return found

    def _without_turns(self, one: Ints, two: Ints) -> Differences:
        """The tests of pairs that did not take turns: in multiples of one reference, or Welch's."""
        same = self._reference[one] == self._reference[two]
        bridged = same & (self._ratios.n[one] > 0) & (self._ratios.n[two] > 0)
        timed = self._hours.timed[one] & self._hours.timed[two] & ~bridged
        allowance = np.where(timed, np.maximum(self._drift[one], self._drift[two]), 0.0)
        a, b = (self._plain.but(bridged, self._ratios, at) for at in (one, two))
        difference = a.mean - b.mean
        lower = np.where(difference <= 0, one, two)
        p = np.ones(len(one))
        known = np.flatnonzero(~np.isnan(a.variance + b.variance) & ~self._open[lower])
        p[known] = _welch_ps(_of(known, a), _of(known, b), allowance[known])
        return Differences(p, difference < 0)


def _of(which: Ints, figures: _Figures) -> _Figures:
    return _Figures(*(figure[which] for figure in figures))


def _welch_ps(a: _Figures, b: _Figures, allowance: Floats) -> Floats:
    """Two-sided p of Welch's test beyond an allowance."""
    sums = a.variance + b.variance
    # Python's own power, whose last digit may differ from a product's.
    squares = np.array([item**2 for item in sums.tolist()])
    degrees = squares / (a.variance * a.variance / (a.n - 1) + b.variance * b.variance / (b.n - 1))
    t = (allowance - np.abs(a.mean - b.mean)) / np.sqrt(sums)
    found: Floats = np.minimum(1.0, 2 * cdfs(t, degrees))
    return found


def under(
    alpha: float, found: Differences, adjusted: Floats, count: int
) -> Iterator[tuple[int, int, bool]]:
    """Pairs (i, j) of so many entries with an adjusted p under alpha, and whether i is lower."""
    flat = np.flatnonzero(adjusted < alpha)
    one, two = places_of(flat, count)
    yield from zip(one.tolist(), two.tolist(), found.first_lower[flat].tolist(), strict=True)
