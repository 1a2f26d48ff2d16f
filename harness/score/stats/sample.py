"""The costs of one entry in the form that the statistics need."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SD_MIN = 1e-6
"""Lower limit of every relative standard deviation: no meter or clock here resolves less."""


class RunMoment(NamedTuple):
    """What a run was drawn from and when it started: what pairing depends on."""

    block: str
    """Names the secret, its index and the instance; the runs of a pair share it."""
    started: str
    """UTC, ISO 8601, so that text order is time order."""


class ReferenceRatios(NamedTuple):
    """Costs divided by the cost of the paired reference run."""

    sha256: str
    """Of the reference submission: another version is another unit."""
    logs: Mapping[int, float]
    """Natural logarithm of cost over the reference's cost, by seed."""


class Sample(NamedTuple):
    """The costs of one entry."""

    logs: Mapping[int, float]
    """Natural logarithm of the cost, by seed."""
    sd_floor: float
    """Smallest standard deviation of a logarithm that the figure's resolution allows."""
    open_ended: bool = False
    """Whether runs failed, so that the upper end of the cost is unknown."""
    moments: Mapping[int, RunMoment] | None = None
    """By seed; None where the entry is an independent sample, as on a machine of its own."""
    reference_ratios: ReferenceRatios | None = None
    """None unless every run is paired with a run of the reference."""
    machine_dependent: bool = True
    """False for costs that the state of the machine cannot change, as training steps."""

    @property
    def is_independent(self) -> bool:
        """Whether the values are independent of those of any other entry."""
        return self.moments is None or not self.machine_dependent


class MeanVariance(NamedTuple):
    """Variance of a mean, and the number of values it is the mean of."""

    variance: float
    n: int


def sample_sd(values: Sequence[float]) -> float:
    """Sample standard deviation with n - 1 in the denominator.

    `statistics.stdev` gives the same by fractions, and takes thirty times as long.
    """
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))


def floored_sd(values: Sequence[float], floor: float) -> float | None:
    """Sample standard deviation, at least the floor; None for fewer than two values."""
    return max(sample_sd(values), floor) if len(values) > 1 else None


def mean_log(sample: Sample) -> float:
    """Mean of the logarithms: the logarithm of the geometric mean."""
    return statistics.fmean(sample.logs.values())


def variance_of_mean(sample: Sample) -> float | None:
    """Variance of the mean logarithm; None for a single run."""
    sd = floored_sd(list(sample.logs.values()), max(sample.sd_floor, SD_MIN))
    return None if sd is None else sd * sd / len(sample.logs)


def normalized_to_reference(sample: Sample) -> Sample | None:
    """The costs divided by those of the paired reference runs.

    Returns:
        None where a run is not paired with the reference, or there are fewer than two.
    """
    ratios = sample.reference_ratios
    if ratios is None or ratios.logs.keys() != sample.logs.keys() or len(ratios.logs) <= 1:
        return None
    # The ratio of two figures of the same resolution has the errors of both.
    return sample._replace(logs=ratios.logs, sd_floor=sample.sd_floor * math.sqrt(2))
