"""Performance profiles over several workloads, with one score each, its interval, leave-one-out.

The profile of a contender is the part of all workloads on which its cost is at most tau times the
best one present (Dolan and More, Mathematical Programming 91, 2002); its score is the mean height
of the profile from tau = 1 to the largest ratio (AlgoPerf takes 4). A workload that a contender has
no cost on counts as an infinite ratio.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.score.stats.rank_stability import DRAWS, SEED, mean_draws
from harness.score.stats.sample import Sample, mean_log

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RATIO_MAX = 4.0

Row = Sequence[Sample | None]
"""Costs of one contender, one for each workload; None where it has none."""


class Interval(NamedTuple):
    """Where a score lies, given the spread of the runs."""

    low: float
    high: float


def _logs(table: Sequence[Row]) -> "Floats":
    """Mean logarithms, shape (contenders, workloads); infinite where there is no cost."""
    import numpy as np

    return np.array(
        [[np.inf if item is None else mean_log(item) for item in row] for row in table], dtype=float
    )


def _ratios(logs: "Floats") -> "Floats":
    """Cost over the best cost of its workload; shape (..., contenders, workloads)."""
    import numpy as np

    best = logs.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        found: Floats = np.where(np.isinf(logs), np.inf, np.exp(logs - best))
    return found


def profile_areas(ratios: "Floats", ratio_max: float) -> "Floats":
    """Mean over workloads of (max - r) / (max - 1), not below 0, of ratios (..., workloads)."""
    import numpy as np

    gain = np.clip((ratio_max - ratios) / (ratio_max - 1), 0.0, None)
    found: Floats = gain.mean(axis=-1)
    return found


def ratios(table: Sequence[Row]) -> list[list[float]]:
    """Cost over the best one present, by contender and workload; infinite where there is none."""
    return [[float(item) for item in row] for row in _ratios(_logs(table))] if table else []


def areas(table: Sequence[Row], ratio_max: float = RATIO_MAX) -> list[float]:
    """Score of each contender, from 0 to 1: the mean over workloads of (max - r) / (max - 1).

    Args:
        table: a row for each contender, all as long as there are workloads, at least one.
        ratio_max: largest ratio that still earns something.
    """
    return (
        [float(area) for area in profile_areas(_ratios(_logs(table)), ratio_max)] if table else []
    )


def area_intervals(
    table: Sequence[Row], ratio_max: float = RATIO_MAX, level: float = 0.95, draws: int = DRAWS
) -> list[Interval | None]:
    """Interval of each score when all costs are redrawn from their posteriors.

    Returns:
        One for each contender; None for all where one cost has a single run or failed ones, since
        every score hangs on the best cost of each workload. None too where no draw moves the score,
        as of who is the best or beyond `ratio_max` wherever it runs: that shows no certainty.
    """
    if not table:
        return []
    import numpy as np

    rng = np.random.default_rng(SEED)
    logs = np.full((draws, len(table), len(table[0])), np.inf)
    for at, row in enumerate(table):
        for column, sample in enumerate(row):
            if sample is None:
                continue
            drawn = None if sample.open_ended else mean_draws(sample, rng, draws)
            if drawn is None:
                return [None] * len(table)
            logs[:, at, column] = drawn
    found = profile_areas(_ratios(logs), ratio_max)
    ends = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [Interval(float(low), float(high)) if low < high else None for low, high in ends.T]


def without_each(table: Sequence[Row], ratio_max: float = RATIO_MAX) -> list[list[float]]:
    """Scores with each workload left out in turn: a list for each workload.

    Returns:
        Nothing where there is a single workload: nothing would be left.
    """
    count = len(table[0]) if table else 0
    if count < 2:  # noqa: PLR2004 - leaving one of one out leaves none
        return []
    return [
        areas([[*row[:left], *row[left + 1 :]] for row in table], ratio_max)
        for left in range(count)
    ]
