"""The test of the difference between two entries.

Runs of one series share the state of the machine: load, temperature, clocks. However many runs a
series has, it is one sample of that state, so that two series that follow each other cannot
distinguish an entry from a change of the machine (pseudoreplication: Hurlbert, Ecological
Monographs 54, 1984; levels at which benchmarks are repeated: Kalibera and Jones, ISMM 2013). On one
machine two entries are therefore compared only where the machine's state cancels: between paired
runs, or between costs divided by those of paired runs of one reference. Entries on different
machines are independent samples. All other entries are not comparable.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import special

from harness.records.compare import TestKind
from harness.score.stats.intervals import t_cdf, t_quantile
from harness.score.stats.sample import (
    SD_MIN,
    MeanVariance,
    RunMoment,
    Sample,
    mean_log,
    normalized_to_reference,
    sample_sd,
    variance_of_mean,
)

TEST_NAMES: dict[TestKind, str] = {
    "paired": "a paired t-test of interleaved runs",
    "via_reference": "a Welch test of costs divided by those of the paired reference runs",
    "independent": "a Welch test of independent samples",
    "not_comparable": "no test, because their runs are not paired",
}
"""What each test is called in messages and on pages."""

INTERLEAVE_ADVICE = "run them interleaved with each other or with the reference (--interleave)"
"""What makes entries comparable that are not."""


class PairwiseTest(NamedTuple):
    """The difference of the mean logarithms of two entries, and its standard error."""

    difference: float
    """First minus second."""
    parts: tuple[MeanVariance, ...]
    """One for a paired test, two for Welch's; empty where no test is possible."""
    kind: TestKind

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(math.fsum(part.variance for part in self.parts))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the t statistic."""
        if len(self.parts) == 1:
            return float(self.parts[0].n - 1)
        return welch_degrees(*self.parts)

    @property
    def p_less(self) -> float:
        """One-sided p that the first costs less than the second; 1 where no test is possible."""
        return t_cdf(self.difference / self.error, self.degrees) if self.parts else 1.0

    @property
    def swapped(self) -> "PairwiseTest":
        """The same test with the entries exchanged."""
        return self._replace(difference=-self.difference, parts=self.parts[::-1])


def welch_degrees(a: MeanVariance, b: MeanVariance) -> float:
    """Degrees of freedom of a Welch test (Biometrika 34, 1947)."""
    total = a.variance + b.variance
    return total**2 / (a.variance**2 / (a.n - 1) + b.variance**2 / (b.n - 1))


# --- pairing --------------------------------------------------------------------------------------


def find_pairs(a: Mapping[int, RunMoment] | None, b: Mapping[int, RunMoment] | None) -> set[int]:
    """The seeds on which the runs of two entries are paired.

    Both runs of a pair have the same secret and instance, and no other run of the two entries
    started between them. A run with the same start time as another is in no pair.
    """
    if not a or not b or a.keys().isdisjoint(b.keys()):
        return set()
    runs = sorted((moment.started, seed) for side in (a, b) for seed, moment in side.items())
    starts = Counter(start for start, _ in runs)
    adjacent = {one[1] for one, two in pairwise(runs) if one[1] == two[1]}
    return {
        seed
        for seed in adjacent
        if a[seed].block == b[seed].block
        and a[seed].block
        and starts[a[seed].started] == starts[b[seed].started] == 1
    }


def paired_seeds(a: Sample, b: Sample) -> list[int]:
    """The seeds on which two entries are paired; empty where the entries are not paired.

    Entries are paired if there are at least two pairs and all runs of one of the two are in pairs.
    The reference of several contests has more runs than those paired with one entry, but an entry
    cannot leave out runs of its own.
    """
    pairs = find_pairs(a.moments, b.moments) & a.logs.keys() & b.logs.keys()
    return sorted(pairs) if len(pairs) >= max(2, min(len(a.logs), len(b.logs))) else []


# --- the test -------------------------------------------------------------------------------------


def _paired_test(a: Sample, b: Sample, seeds: list[int]) -> PairwiseTest:
    """Student's paired t-test (Biometrika 6, 1908)."""
    differences = [a.logs[seed] - b.logs[seed] for seed in seeds]
    sd = max(sample_sd(differences), math.hypot(a.sd_floor, b.sd_floor), SD_MIN)
    mean = math.fsum(differences) / len(differences)
    return PairwiseTest(mean, (MeanVariance(sd * sd / len(seeds), len(seeds)),), "paired")


def _welch_test(a: Sample, b: Sample, kind: TestKind) -> PairwiseTest:
    difference = mean_log(a) - mean_log(b)
    va, vb = variance_of_mean(a), variance_of_mean(b)
    if va is None or vb is None:
        return PairwiseTest(difference, (), kind)
    parts = (MeanVariance(va, len(a.logs)), MeanVariance(vb, len(b.logs)))
    return PairwiseTest(difference, parts, kind)


def pairwise_test(a: Sample, b: Sample) -> PairwiseTest:
    """The test that the runs of two entries allow.

    A paired t-test where their runs are paired; a Welch test of costs divided by the reference's
    where each is paired with the same version of it; a Welch test where one of them is an
    independent sample. Otherwise the kind is `not_comparable`, and p is 1.
    """
    if seeds := paired_seeds(a, b):
        return _paired_test(a, b, seeds)
    ratios = (a.reference_ratios, b.reference_ratios)
    if ratios[0] and ratios[1] and ratios[0].sha256 == ratios[1].sha256:
        one, two = normalized_to_reference(a), normalized_to_reference(b)
        if one and two:
            return _welch_test(one, two, "via_reference")
    if a.is_independent or b.is_independent:
        return _welch_test(a, b, "independent")
    return PairwiseTest(mean_log(a) - mean_log(b), (), "not_comparable")


def two_sided_p(test: PairwiseTest, a: Sample, b: Sample) -> float:
    """Two-sided p of a test of two entries.

    It is 1 where the cheaper entry has failed runs: its cost has no upper end, so that it cannot be
    shown to cost less.
    """
    lower, cheaper = (test, a) if test.difference <= 0 else (test.swapped, b)
    return 1.0 if cheaper.open_ended else min(1.0, 2 * lower.p_less)


def differ_p(a: Sample, b: Sample) -> float:
    """Two-sided p that the costs of two entries differ."""
    return two_sided_p(pairwise_test(a, b), a, b)


# --- minimum detectable difference ----------------------------------------------------------------


def _welch_lead(a: MeanVariance, b: MeanVariance, alpha: float, power: float) -> float:
    """Difference of mean logarithms that Welch's one-sided test detects with the given power.

    The power is averaged over the sample variances that may be observed, chi-square by quantiles:
    P(Z + lead / se > t(1 - alpha, df)), with se and df of the drawn variances.
    """
    grid = (np.arange(64) + 0.5) / 64
    va, vb = (part.variance * special.chdtri(part.n - 1, grid) / (part.n - 1) for part in (a, b))
    va, vb = va[:, None], vb[None, :]
    df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    true_se = math.sqrt(a.variance + b.variance)
    threshold = special.stdtrit(df, 1 - alpha) * np.sqrt(va + vb) / true_se
    low, high = 0.0, float(threshold.max()) + 10
    for _ in range(30):
        middle = (low + high) / 2
        reached = float(special.ndtr(middle - threshold).mean()) >= power
        low, high = (low, middle) if reached else (middle, high)
    return high * true_se


def _paired_lead(part: MeanVariance, alpha: float, power: float) -> float:
    """The same for the paired test: noncentral t with n - 1 degrees of freedom."""
    t = t_quantile(1 - alpha, part.n - 1)
    shift = float(special.nctdtrinc(part.n - 1, 1 - power, t))
    return shift * math.sqrt(part.variance)


def _lead(parts: tuple[MeanVariance, ...], alpha: float, power: float) -> float:
    if len(parts) == 1:
        return _paired_lead(parts[0], alpha, power)
    return _welch_lead(parts[0], parts[1], alpha, power)


def detectable_ratio(a: Sample, b: Sample, alpha: float, power: float = 0.9) -> float | None:
    """Minimum detectable difference of two entries, as 0.06 for a cost that is 6 % higher.

    The smallest lead that the one-sided test of these two at `alpha` detects with the given power,
    at the observed spreads and numbers of seeds.

    Returns:
        The ratio; None where there is no test, or the spread is too wide for any lead.
    """
    parts = pairwise_test(a, b).parts
    lead = _lead(parts, alpha, power) if parts else math.inf
    return math.expm1(lead) if lead < math.log(1000) else None


def smallest_count(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 2 on for which a monotonic condition holds; None beyond `most`."""
    if not enough(most):
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def seeds_to_settle(
    a: Sample, b: Sample, lead: float, alpha: float, most: int = 1000
) -> int | None:
    """Seeds of each entry with which a lead of that size is detected with power 0.9.

    Args:
        a: One entry; its observed spread is assumed.
        b: The other entry.
        lead: Difference of the mean logarithms.
        alpha: One-sided level.
        most: Largest number to try.

    Returns:
        The smallest number; None where there is no test or `most` seeds are not enough.
    """
    parts = pairwise_test(a, b).parts
    if not parts or lead <= 0:
        return None

    def enough(n: int) -> bool:
        """Whether n seeds detect the lead."""
        scaled = tuple(MeanVariance(part.variance * part.n / n, n) for part in parts)
        return _lead(scaled, alpha, 0.9) <= lead

    return smallest_count(enough, most)
