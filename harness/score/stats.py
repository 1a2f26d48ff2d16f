"""The statistics of verdicts: intervals, tests and the lead that given data could have seen.

Costs are positive and vary by factors, so they are treated on natural logarithms. Only
`scipy.special` is used, and only when a function is called: `scipy.stats` takes a second to load.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from harness.score import student

LEAST_SD = 1e-6
"""Floor under every relative standard deviation: no meter or clock here resolves more."""

FLOAT32_STEP = 2.0**-23
"""Relative step of float32, in which predictors answer: floor for metrics without steps."""


class Interval(NamedTuple):
    """A value with the ends of its interval; an end is None where the data give none."""

    value: float
    low: float | None
    high: float | None


class Moment(NamedTuple):
    """What a run was drawn from, and when it was made: all that pairing asks of it."""

    block: str
    """Names the secret, its index and the instance; runs of one pair share it."""
    started: str
    """UTC, ISO 8601: sorts as it passes."""


class Sample(NamedTuple):
    """The costs of one entry as statistics need them."""

    logs: Mapping[int, float]
    """Natural logarithm of the cost, by seed."""
    sd_floor: float
    """Least standard deviation of a logarithm that the figure's resolution allows."""
    open_ended: bool = False
    """Whether runs failed, so that nobody knows how large the cost may be."""
    moments: Mapping[int, Moment] | None = None
    """Of the only run of each seed; None where that is not known."""


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` degrees of freedom."""
    return student.cdf(t, df)


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p, for Student's t with `df` degrees of freedom."""
    return student.quantile(p, df)


def step_sd(step: float) -> float:
    """Standard deviation of what is lost by rounding to a grid of width `step`: step / sqrt(12).

    The variance of a uniform distribution of that width (Sheppard, Proc. London Math. Soc. 29,
    1898); readings that agree to the last digit may still differ by that much.
    """
    return step / math.sqrt(12)


def sample_sd(values: Sequence[float]) -> float:
    """Sample standard deviation, n - 1 in the denominator, summed without rounding.

    `statistics.stdev` says the same by fractions, which take thirty times as long.
    """
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))


def spread(values: Sequence[float], floor: float) -> float | None:
    """Sample standard deviation, not under the floor; None for fewer than two values."""
    return max(sample_sd(values), floor) if len(values) > 1 else None


def log_t_interval(values: Iterable[float], level: float, sd_floor: float) -> Interval:
    """Geometric mean with Student's t interval of the mean logarithm.

    exp(m ± t(1 - alpha/2, n - 1) · s / sqrt(n)), with m and s of the logarithms. Its coverage is
    right from n = 2 on for log-normal costs, where the percentile bootstrap covers 74 % at n = 3.
    The floor keeps agreement within the figure's own resolution from passing for certainty.

    Args:
        values: Positive costs of distinct seeds.
        level: Confidence, as 0.95.
        sd_floor: Least standard deviation of a logarithm (dimensionless).

    Raises:
        ValueError: no value, or one that is not positive.
    """
    logs = [math.log(value) for value in values]
    mean = statistics.fmean(logs)
    sd = spread(logs, max(sd_floor, LEAST_SD))
    if sd is None:
        return Interval(math.exp(mean), None, None)
    half = t_quantile((1 + level) / 2, len(logs) - 1) * sd / math.sqrt(len(logs))
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def mean_interval(values: Sequence[float], level: float, sd_floor: float) -> Interval:
    """Mean with Student's t interval, for metrics (in the metric's unit)."""
    mean = statistics.fmean(values)
    sd = spread(values, sd_floor)
    if sd is None:
        return Interval(mean, None, None)
    half = t_quantile((1 + level) / 2, len(values) - 1) * sd / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def success_cost(successes: Sequence[float], failures: Sequence[float], level: float) -> Interval:
    """Total cost over successes, the upper end open.

    The expected cost of trying until it succeeds, as "expected running time" in Hansen et al.,
    COCO: A Platform for Comparing Continuous Optimizers (2016), section 4. Its lower end is that
    of the successes alone: failures can only add.

    Args:
        successes: Positive costs of the runs that reached the target.
        failures: Costs of the others until they ended.
        level: Confidence of the lower end.

    Raises:
        ValueError: no success.
    """
    low = log_t_interval(successes, level, LEAST_SD).low
    return Interval((sum(successes) + sum(failures)) / len(successes), low, None)


def metric_sd_floor(metric_unit: str, examples: int, mean: float) -> float:
    """Least standard deviation of a metric that its resolution allows, in the metric's unit.

    A ratio of counts over `examples` moves in steps of 1 / examples (a percentage in steps of
    100 / examples); any other metric is resolved to float32, in which predictors answer.
    """
    steps = {"": 1.0, "%": 100.0}
    if metric_unit in steps and examples > 0 and 0 <= mean <= steps[metric_unit]:
        return step_sd(steps[metric_unit] / examples)
    return step_sd(max(abs(mean), FLOAT32_STEP) * FLOAT32_STEP)


def target_p(values: Sequence[float], target: float, better: str, sd_floor: float) -> float | None:
    """One-sided p of Student's t test that the mean metric beats the target.

    t = (mean - target) · sqrt(n) / s for `better = "higher"`, the opposite sign for `"lower"`;
    s does not go under the resolution, so that p is defined for a spread of zero. The rule of the
    NanoGPT speedrun (`ttest_1samp(losses, target, alternative="less")`, p < 0.01).

    Returns:
        The p value, or None for fewer than two seeds.
    """
    sd = spread(values, sd_floor)
    if sd is None:
        return None
    lead = statistics.fmean(values) - target
    signed = lead if better == "higher" else -lead
    return t_cdf(-signed * math.sqrt(len(values)) / sd, len(values) - 1)


def passes(value: float | None, target: float, better: str) -> bool:
    """Whether a metric reaches the target; None and NaN never do."""
    if value is None:
        return False
    return value >= target if better == "higher" else value <= target


def variance_of_mean(sample: Sample) -> float | None:
    """Variance of the mean logarithm; None for a single run."""
    sd = spread(list(sample.logs.values()), max(sample.sd_floor, LEAST_SD))
    return None if sd is None else sd * sd / len(sample.logs)


def mean_log(sample: Sample) -> float:
    """Mean of the logarithms: of the geometric mean, the logarithm."""
    return statistics.fmean(sample.logs.values())


def welch_degrees(first: tuple[float, int], second: tuple[float, int]) -> float:
    """Degrees of freedom of Welch (Biometrika 34, 1947) from (variance of the mean, n) of each."""
    (v1, n1), (v2, n2) = first, second
    return (v1 + v2) ** 2 / (v1 * v1 / (n1 - 1) + v2 * v2 / (n2 - 1))


def welch_p(a: Sample, b: Sample) -> float:
    """One-sided p of Welch's test that `a` costs less than `b`, on logarithms; 1 where n < 2."""
    return _welch(_summary(a), _summary(b))


class _Summary(NamedTuple):
    """What Welch's test needs of a sample."""

    mean: float
    variance: float | None
    """Of the mean; None for a single run."""
    n: int
    since: str
    """When the first run began; empty where that is not known."""
    until: str
    """When the last one did."""


def _summary(sample: Sample) -> _Summary:
    began = [each.started for each in (sample.moments or {}).values()]
    ends = (min(began, default=""), max(began, default=""))
    return _Summary(mean_log(sample), variance_of_mean(sample), len(sample.logs), *ends)


def _welch(a: _Summary, b: _Summary) -> float:
    if a.variance is None or b.variance is None:
        return 1.0
    df = welch_degrees((a.variance, a.n), (b.variance, b.n))
    return t_cdf((a.mean - b.mean) / math.sqrt(a.variance + b.variance), df)


def paired_p(a: Sample, b: Sample) -> float:
    """One-sided p of the paired t test that `a` costs less than `b` on the seeds both ran.

    For entries that ran the same instances interleaved on one machine, so that what the instance
    and the hour do to both falls out of the difference (Student, Biometrika 6, 1908).
    """
    shared = sorted(a.logs.keys() & b.logs.keys())
    differences = [a.logs[seed] - b.logs[seed] for seed in shared]
    sd = spread(differences, max(math.hypot(a.sd_floor, b.sd_floor), LEAST_SD))
    if sd is None:
        return 1.0
    t = statistics.fmean(differences) * math.sqrt(len(differences)) / sd
    return t_cdf(t, len(differences) - 1)


def alternate(a: Mapping[int, Moment] | None, b: Mapping[int, Moment] | None) -> bool:
    """Whether the runs of two entries on one machine alternate, pair by pair.

    Both runs of a pair come from one secret and instance, and no other run of the two lies between
    them. What is not known, or began at one time, does not alternate.
    """
    if not a or not b or a.keys() != b.keys() or any(a[s].block != b[s].block for s in a):
        return False
    if any(not each.block for each in a.values()):
        return False
    made = sorted((each[seed].started, seed) for each in (a, b) for seed in each)
    seeds = [seed for _, seed in made]
    return len({start for start, _ in made}) == len(made) and seeds[::2] == seeds[1::2]


def is_paired(a: Sample, b: Sample) -> bool:
    """Whether both ran exactly the same seeds and instances, at least two, alternating."""
    return len(a.logs) > 1 and a.logs.keys() == b.logs.keys() and alternate(a.moments, b.moments)


def comparison_text(a: Sample, b: Sample) -> str:
    """Which test compares two entries, for people."""
    if is_paired(a, b):
        return "a paired test: their runs alternate on the same seeds and instances"
    return "Welch's test: their runs do not alternate on the same seeds and instances"


def cheaper_p(a: Sample, b: Sample) -> float:
    """One-sided p that `a` costs less than `b`: paired where the runs alternate, else Welch.

    An entry with failed runs has an open upper end and can never be shown to cost less.
    """
    if a.open_ended:
        return 1.0
    return paired_p(a, b) if is_paired(a, b) else welch_p(a, b)


def differ_p(a: Sample, b: Sample) -> float:
    """Two-sided p that the costs of two entries differ: twice the lesser of the one-sided ones.

    That is the one for which the lower mean counts as less; the other one is half at least.
    """
    first, second = (a, b) if mean_log(a) <= mean_log(b) else (b, a)
    return min(1.0, 2 * cheaper_p(first, second))


def differ_ps(samples: Sequence[Sample]) -> list[float]:
    """The same for all pairs (i, j), i < j, in that order; each sample is summed up only once."""
    summed = [(_summary(each), each) for each in samples]
    found = []
    for (first, a), (second, b) in combinations(summed, 2):
        # Runs of which all of one entry's came first alternate with nobody's.
        apart = first.until < second.since or second.until < first.since
        if a.open_ended or b.open_ended or (not apart and is_paired(a, b)):
            found.append(differ_p(a, b))
        else:
            p = _welch(first, second) if first.mean <= second.mean else _welch(second, first)
            found.append(min(1.0, 2 * p))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number: Holm, Scand. J. Statist. 6 (1979).

    Returns:
        max over j <= i of (m - j) · p(j), capped at 1, in the order given.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def _welch_lead(a: tuple[float, int], b: tuple[float, int], alpha: float, power: float) -> float:
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


def _paired_lead(a: Sample, b: Sample, alpha: float, power: float) -> float:
    """The same for the paired test: noncentral t with n - 1 degrees of freedom."""
    from scipy.special import nctdtrinc

    differences = [a.logs[seed] - b.logs[seed] for seed in a.logs]
    sd = spread(differences, max(math.hypot(a.sd_floor, b.sd_floor), LEAST_SD)) or LEAST_SD
    df = len(differences) - 1
    shift = float(nctdtrinc(df, 1 - power, t_quantile(1 - alpha, df)))
    return shift * sd / math.sqrt(len(differences))


def resolvable_ratio(a: Sample, b: Sample, alpha: float, power: float = 0.9) -> float | None:
    """The lead that a one-sided test at `alpha` sees with the given power, as 0.06 for 6 %.

    At the spreads and numbers of seeds found, by the test that compares these two (paired or
    Welch); a lead of `ratio` means costs apart by the factor 1 + ratio.

    Returns:
        The ratio, or None where fewer than two seeds or too wide a spread tell nothing.
    """
    va, vb = variance_of_mean(a), variance_of_mean(b)
    if va is None or vb is None:
        return None
    if is_paired(a, b):
        lead = _paired_lead(a, b, alpha, power)
    else:
        lead = _welch_lead((va, len(a.logs)), (vb, len(b.logs)), alpha, power)
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
        The least number, or None where `most` would not do or a spread is unknown.
    """
    va, vb = variance_of_mean(a), variance_of_mean(b)
    if va is None or vb is None or lead <= 0:
        return None
    spreads = (va * len(a.logs), vb * len(b.logs))

    def enough(n: int) -> bool:
        means = [(each / n, n) for each in spreads]
        return _welch_lead(means[0], means[1], alpha, 0.9) <= lead

    if not enough(most):
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
