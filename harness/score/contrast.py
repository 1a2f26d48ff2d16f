"""Two entries held against each other: what their runs can tell apart, and what the hour explains.

Runs of one series share the hour: the machine's load, warmth and clocks. However many runs a
series has, it samples that hour once, so that two series, one after the other, tell entries apart
no better than hours (pseudoreplication: Hurlbert, Ecological Monographs 54, 1984; on which level a
benchmark must be repeated: Kalibera and Jones, ISMM 2013). So the difference is taken where the
hour falls out of it: between runs that alternate, or between costs in multiples of the reference's
that each alternated with, or between the means of several series in turn. Where none of these is
there, a factor that the hour may explain is granted before anything is told apart.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from harness.records.compare import TestKind
from harness.score.stats import (
    LEAST_SD,
    Moment,
    Sample,
    mean_log,
    sample_sd,
    t_cdf,
    t_quantile,
    variance_of_mean,
    welch_degrees,
)

Part = tuple[float, int]
"""Variance of a mean, and the number of values behind it."""

PAIR = 2
"""Least number of values that tell a spread."""


class Contrast(NamedTuple):
    """The difference of two mean logarithms, and what is known of it."""

    difference: float
    """Of the first less the second."""
    parts: tuple[Part, ...]
    """One for a paired test, two for Welch's; none where a single run tells no spread."""
    kind: TestKind
    allowance: float = 0.0
    """Part of the difference that the machine's state may explain, either way."""

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(math.fsum(variance for variance, _ in self.parts))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of its t."""
        if len(self.parts) == 1:
            return float(self.parts[0][1] - 1)
        return welch_degrees(self.parts[0], self.parts[1])

    @property
    def p_less(self) -> float:
        """One-sided p that the first costs less beyond the allowance; 1 without a spread."""
        if not self.parts:
            return 1.0
        return t_cdf((self.difference + self.allowance) / self.error, self.degrees)

    @property
    def turned(self) -> "Contrast":
        """The same with the entries exchanged."""
        return self._replace(difference=-self.difference, parts=self.parts[::-1])


# --- which runs belong together -------------------------------------------------------------------


def pairs_of(a: Mapping[int, Moment] | None, b: Mapping[int, Moment] | None) -> set[int]:
    """The seeds on which two entries took turns on one machine.

    Both runs of a pair come from one secret and instance, and no other run of the two lies between
    them. What is not known, or began at one time as another, is in no pair.
    """
    if not a or not b or a.keys().isdisjoint(b.keys()):
        return set()
    made = sorted((moment.started, seed) for item in (a, b) for seed, moment in item.items())
    starts = Counter(start for start, _ in made)
    beside = {one[1] for one, two in pairwise(made) if one[1] == two[1]}
    return {
        seed
        for seed in beside
        if a[seed].block == b[seed].block
        and a[seed].block
        and starts[a[seed].started] == starts[b[seed].started] == 1
    }


def alternate(a: Mapping[int, Moment] | None, b: Mapping[int, Moment] | None) -> bool:
    """Whether all runs of two entries alternate, pair by pair."""
    if not a or not b:
        return False
    return pairs_of(a, b) == a.keys() | b.keys()


def paired_seeds(a: Sample, b: Sample) -> list[int]:
    """The seeds of the pairs, at least two, that two entries ran in turn; empty where they did not.

    They are all the runs of one of the two: the reference of several contests has more than those
    that it ran with one entry, but an entry may not leave runs of its own out.
    """
    if a.moments is None or b.moments is None:
        return []
    found = pairs_of(a.moments, b.moments) & a.logs.keys() & b.logs.keys()
    enough = len(found) >= max(PAIR, min(len(a.logs), len(b.logs)))
    return sorted(found) if enough else []


def is_paired(a: Sample, b: Sample) -> bool:
    """Whether all runs of one of the two alternate with runs of the other, pair by pair."""
    return bool(paired_seeds(a, b))


def series_means(a: Sample, b: Sample) -> tuple[list[float], list[float]] | None:
    """Mean logarithm of each series: of runs without a run of the other entry between them.

    Returns:
        Those of the first and those of the second, in order of time; None where the order of the
        runs is not known.
    """
    made = [
        (each.moments[seed].started if each.moments and seed in each.moments else "", side, log)
        for side, each in enumerate((a, b))
        for seed, log in each.logs.items()
    ]
    made.sort()
    starts = [start for start, _, _ in made]
    if not all(starts) or len(set(starts)) < len(starts):
        return None
    found: tuple[list[float], list[float]] = ([], [])
    for side, runs in groupby(made, key=lambda each: each[1]):
        logs = [log for _, _, log in runs]
        found[side].append(math.fsum(logs) / len(logs))
    return found


# --- the difference -------------------------------------------------------------------------------


def _of_pairs(a: Sample, b: Sample, seeds: Sequence[int]) -> Contrast:
    """Seed by seed, so that what the instance and the hour do to both falls out (Student, 1908)."""
    differences = [a.logs[seed] - b.logs[seed] for seed in seeds]
    sd = max(sample_sd(differences), math.hypot(a.sd_floor, b.sd_floor), LEAST_SD)
    mean = math.fsum(differences) / len(differences)
    return Contrast(mean, ((sd * sd / len(seeds), len(seeds)),), "paired")


def _independent(a: Sample, b: Sample) -> Contrast:
    difference = mean_log(a) - mean_log(b)
    va, vb = variance_of_mean(a), variance_of_mean(b)
    if va is None or vb is None:
        return Contrast(difference, (), "independent")
    return Contrast(difference, ((va, len(a.logs)), (vb, len(b.logs))), "independent")


def in_multiples(sample: Sample) -> Sample | None:
    """The costs in multiples of those of the reference's runs that they alternated with.

    Returns:
        None where a run did not alternate with one, or where there are fewer than two.
    """
    known = sample.relative
    if known is None or known.logs.keys() != sample.logs.keys() or len(known.logs) < PAIR:
        return None
    # Two figures of the same resolution are taken from each other.
    return sample._replace(logs=known.logs, sd_floor=sample.sd_floor * math.sqrt(2))


def _bridged(a: Sample, b: Sample) -> Contrast | None:
    """Each in multiples of the one reference that it alternated with, in whatever hour that was."""
    if not a.relative or not b.relative or a.relative.reference != b.relative.reference:
        return None
    one, two = in_multiples(a), in_multiples(b)
    return _independent(one, two)._replace(kind="bridged") if one and two else None


def _in_turn(a: Sample, b: Sample) -> Contrast | None:
    """The means of several series of each: what varies from hour to hour is in their spread."""
    means = series_means(a, b)
    if means is None or min(map(len, means)) < PAIR:
        return None
    floors = (max(item.sd_floor, LEAST_SD) for item in (a, b))
    parts = [
        (max(sample_sd(element), floor) ** 2 / len(element), len(element))
        for element, floor in zip(means, floors, strict=True)
    ]
    one, two = (math.fsum(mean) / len(mean) for mean in means)
    return Contrast(one - two, tuple(parts), "series")


def contrast(a: Sample, b: Sample) -> Contrast:
    """What the runs of two entries tell of the difference of their costs.

    In this order: pair by pair where their runs alternate; in multiples of the reference where each
    alternated with it; between series in turn, at least two of each; else run by run, less what
    `drift` grants the hour. Runs without moments are of different machines or fields, and
    independent.
    """
    if seeds := paired_seeds(a, b):
        return _of_pairs(a, b, seeds)
    if found := _bridged(a, b):
        return found
    if a.moments is None or b.moments is None:
        return _independent(a, b)
    return _in_turn(a, b) or _apart(_independent(a, b), a, b)


def _apart(found: Contrast, a: Sample, b: Sample) -> Contrast:
    return found._replace(kind="apart", allowance=max(a.drift, b.drift))


def allowance_ratio(allowance: float) -> float | None:
    """The factor that an allowance stands for; None where any difference is granted."""
    return math.exp(allowance) if math.isfinite(allowance) else None


def comparison_text(a: Sample, b: Sample) -> str:
    """Which test compares two entries, for people."""
    found = contrast(a, b)
    if found.kind == "paired":
        return "a paired test: their runs alternate on the same seeds and instances"
    if found.kind == "bridged":
        return "Welch's test of costs in multiples of the reference's, with which each alternated"
    if found.kind == "series":
        counts = [count for _, count in found.parts]
        return f"Welch's test of {counts[0]} against {counts[1]} series in turn"
    if found.kind == "independent":
        return "Welch's test: each ran by itself"
    if math.isinf(found.allowance):
        return "any test: their runs did not alternate, and the hour may explain any difference"
    beyond = f" beyond a factor of {math.exp(found.allowance):.3g}" if found.allowance else ""
    why = ", which the hour may explain" if found.allowance else ""
    return f"Welch's test{beyond}{why}: their runs did not alternate"


# --- tests ----------------------------------------------------------------------------------------


def cheaper_p(a: Sample, b: Sample) -> float:
    """One-sided p that `a` costs less than `b`.

    An entry with failed runs has an open upper end and can never be shown to cost less.
    """
    return 1.0 if a.open_ended else contrast(a, b).p_less


def two_sided(found: Contrast, a: Sample, b: Sample) -> float:
    """Two-sided p of a contrast of two entries; 1 where the lower one has failed runs."""
    lower, dearer = (found, a) if found.difference <= 0 else (found.turned, b)
    return 1.0 if dearer.open_ended else min(1.0, 2 * lower.p_less)


def differ_p(a: Sample, b: Sample) -> float:
    """Two-sided p that the costs of two entries differ: twice the lesser of the one-sided ones.

    That is the one for which the lower counts as less; the other one is half at least.
    """
    return two_sided(contrast(a, b), a, b)


# --- the lead that could have been seen -----------------------------------------------------------


def _welch_lead(a: Part, b: Part, alpha: float, power: float) -> float:
    """Difference of mean logarithms that Welch's one-sided test sees with the given power.

    The power is averaged over the sample variances that the spreads may show, chi-square by
    quantiles: P(Z + lead / se > t(1 - alpha, df)), with se and df of the drawn variances.

    Args:
        a: Variance of the mean, and n, of the first entry.
        b: The same of the second.
        alpha: One-sided level.
        power: Power asked for.
    """
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    grid = (np.arange(64) + 0.5) / 64
    va, vb = (v * chdtri(n - 1, grid) / (n - 1) for v, n in (a, b))
    va, vb = va[:, None], vb[None, :]
    df = (va + vb) ** 2 / (va**2 / (a[1] - 1) + vb**2 / (b[1] - 1))
    true_se = math.sqrt(a[0] + b[0])
    hurdle = stdtrit(df, 1 - alpha) * np.sqrt(va + vb) / true_se

    low, high = 0.0, float(hurdle.max()) + 10
    for _ in range(30):
        middle = (low + high) / 2
        seen = float(ndtr(middle - hurdle).mean())
        low, high = (middle, high) if seen < power else (low, middle)
    return high * true_se


def _paired_lead(part: Part, alpha: float, power: float) -> float:
    """The same for the paired test: noncentral t with n - 1 degrees of freedom."""
    from scipy.special import nctdtrinc

    variance, n = part
    shift = float(nctdtrinc(n - 1, 1 - power, t_quantile(1 - alpha, n - 1)))
    return shift * math.sqrt(variance)


def _lead(parts: Sequence[Part], alpha: float, power: float) -> float:
    if len(parts) == 1:
        return _paired_lead(parts[0], alpha, power)
    return _welch_lead(parts[0], parts[1], alpha, power)


def resolvable_ratio(a: Sample, b: Sample, alpha: float, power: float = 0.9) -> float | None:
    """The lead that a one-sided test at `alpha` sees with the given power, as 0.06 for 6 %.

    At the spreads and numbers of seeds found, by the test that compares these two and beyond what
    it grants the hour; a lead of `ratio` means costs apart by the factor 1 + ratio.

    Returns:
        The ratio, or None where fewer than two seeds or too wide a spread tell nothing.
    """
    found = contrast(a, b)
    if not found.parts or math.isinf(found.allowance):
        return None
    lead = found.allowance + _lead(found.parts, alpha, power)
    return math.expm1(lead) if math.isfinite(lead) and lead < math.log(1000) else None


def seeds_to_settle(
    a: Sample, b: Sample, lead: float, alpha: float, most: int = 1000
) -> int | None:
    """Seeds of each entry with which a lead of that size would be seen, power 0.9.

    Args:
        a: One entry, whose spread is taken as it is.
        b: The other.
        lead: Difference of the mean logarithms.
        alpha: One-sided level.
        most: Number beyond which nobody would go.

    Returns:
        The least number (of series, where series are compared), or None where `most` would not do,
        a spread is unknown, or the hour may explain the whole lead.
    """
    found = contrast(a, b)
    beyond = lead - found.allowance
    if not found.parts or beyond <= 0:
        return None
    spreads = [variance * count for variance, count in found.parts]

    def enough(n: int) -> bool:
        return _lead([(spread / n, n) for spread in spreads], alpha, 0.9) <= beyond

    if not enough(most):
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
