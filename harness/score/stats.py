"""The statistics of one entry: intervals, the test against its target, and what tests are made of.

Costs are positive and vary by factors, so they are treated on natural logarithms. Only
`scipy.special` is used, and only when a function is called: `scipy.stats` takes a second to load.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.score import student

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

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


class Relative(NamedTuple):
    """Costs in multiples of those of the reference, run by run of the pairs that alternated."""

    reference: str
    """SHA-256 of the reference submission: another version of it is another unit."""
    logs: Mapping[int, float]
    """Natural logarithm of cost over the reference's cost, by seed."""


class Sample(NamedTuple):
    """The costs of one entry as statistics need them."""

    logs: Mapping[int, float]
    """Natural logarithm of the cost, by seed."""
    sd_floor: float
    """Least standard deviation of a logarithm that the figure's resolution allows."""
    open_ended: bool = False
    """Whether runs failed, so that nobody knows how large the cost may be."""
    moments: Mapping[int, Moment] | None = None
    """Of each seed; None where the hour of a run is not that of another entry's, as on another
    machine or in another field."""
    relative: Relative | None = None
    """None unless every run alternated with one of the reference."""
    drift: float = 0.0
    """Logarithm of the factor that the state of the machine may explain between two hours."""


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
    va, vb = variance_of_mean(a), variance_of_mean(b)
    if va is None or vb is None:
        return 1.0
    df = welch_degrees((va, len(a.logs)), (vb, len(b.logs)))
    return t_cdf((mean_log(a) - mean_log(b)) / math.sqrt(va + vb), df)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number: Holm, Scand. J. Statist. 6 (1979).

    Returns:
        max over j <= i of (m - j) · p(j), capped at 1, in the order given.
    """
    import numpy as np

    found: list[float] = holm_adjusted(np.array(p_values, dtype=np.float64)).tolist()
    return found


def holm_adjusted(p_values: "Floats") -> "Floats":
    """The same for an array of p values."""
    import numpy as np

    order = np.argsort(p_values, kind="stable")
    left = len(order) - np.arange(len(order))
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, left * p_values[order]))
    return adjusted
