"""Intervals of costs and metrics, the test against the target, and Holm's correction.

Costs are positive and vary by factors, so they are analysed on natural logarithms.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.score.stats.sample import SD_MIN, floored_sd

Floats = npt.NDArray[np.float64]

FLOAT32_STEP = 2.0**-23
"""Relative step of float32, in which predictors answer: resolution of metrics without steps."""


class Interval(NamedTuple):
    """A value with the ends of its interval; an end is None where the data give none."""

    value: float
    low: float | None
    high: float | None


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` degrees of freedom."""
    return float(special.stdtr(df, t))


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p, for Student's t with `df` degrees of freedom."""
    return float(special.stdtrit(df, p))


def step_sd(step: float) -> float:
    """Standard deviation of what is lost by rounding to a grid of width `step`: step / sqrt(12).

    The variance of a uniform distribution of that width (Sheppard, Proc. London Math. Soc. 29,
    1898); readings that agree to the last digit may still differ by that much.
    """
    return step / math.sqrt(12)


_LOG_MAX = 700.0
"""Greatest logarithm of a number with room in 64 bits; an end beyond it is no information."""


def log_interval(mean: float, half: float) -> Interval:
    """The interval exp(mean ± half); an end that no number can hold is None."""
    ends = (end if abs(end) < _LOG_MAX else None for end in (mean - half, mean + half))
    low, high = (None if end is None else math.exp(end) for end in ends)
    return Interval(math.exp(mean), low, high)


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
    sd = floored_sd(logs, max(sd_floor, SD_MIN))
    if sd is None:
        return Interval(math.exp(mean), None, None)
    half = t_quantile((1 + level) / 2, len(logs) - 1) * sd / math.sqrt(len(logs))
    return log_interval(mean, half)


def mean_interval(values: Sequence[float], level: float, sd_floor: float) -> Interval:
    """Mean with Student's t interval, for metrics (in the metric's unit)."""
    mean = statistics.fmean(values)
    sd = floored_sd(values, sd_floor)
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
    low = log_t_interval(successes, level, SD_MIN).low
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
    sd = floored_sd(values, sd_floor)
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


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number: Holm, Scand. J. Statist. 6 (1979).

    Returns:
        max over j <= i of (m - j) · p(j), capped at 1, in the order given.
    """
    adjusted: list[float] = holm_array(np.asarray(p_values, dtype=np.float64)).tolist()
    return adjusted


def holm_array(p: Floats) -> Floats:
    """The same for an array."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, np.arange(len(p), 0, -1) * p[order]))
    return adjusted
