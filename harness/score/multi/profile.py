"""Performance profiles: on which part of the workloads a cost is near a baseline.

The profile of an entry at a ratio tau is the part of all workloads on which its cost is at most tau
times the baseline (Dolan and Moré, Mathematical Programming 91, 2002). A score is the mean height
of the profile. With m the largest ratio that counts, a workload adds to it

    1/2 - ln(ratio) / (2 ln m)    where the baseline is the cost of a reference: tau runs from 1/m
                                  to m on a logarithmic scale, and the reference itself has 1/2;
    (m - ratio) / (m - 1)         where the baseline is the lowest cost present: tau runs from 1 to
                                  m, as in AlgoPerf (arXiv 2306.07179, section 4.2),

at least 0 and at most 1. A workload without a cost has an infinite ratio and adds 0.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RATIO_MAX = 4.0


def cost_ratios(costs: Floats, reference: Floats | None = None) -> Floats:
    """Divide costs by their baseline.

    Args:
        costs: Shape (..., entries, workloads), positive; infinite where an entry has no cost.
        reference: Cost of the reference on each workload; None: the lowest cost present.

    Returns:
        The ratios, of the same shape; infinite where there is no cost.
    """
    baseline = costs.min(axis=-2, keepdims=True) if reference is None else reference
    with np.errstate(invalid="ignore"):
        ratios: Floats = np.where(np.isinf(costs), np.inf, costs / baseline)
    return ratios


def profile_gain(log_ratio: npt.ArrayLike, ratio_max: float = RATIO_MAX) -> Floats:
    """What a workload adds to a profile against a reference, by the logarithm of its ratio."""
    return np.clip(0.5 - np.asarray(log_ratio) / (2 * math.log(ratio_max)), 0.0, 1.0)


def profile_areas(ratios: Floats, ratio_max: float = RATIO_MAX) -> Floats:
    """Mean height of profiles over ratios from 1: ratios to the lowest cost, (..., workloads)."""
    areas: Floats = np.clip((ratio_max - ratios) / (ratio_max - 1), 0.0, None).mean(axis=-1)
    return areas


def profile_scores(
    costs: Floats, ratio_max: float = RATIO_MAX, reference: Floats | None = None
) -> Floats:
    """Compute the mean height of the performance profile of each entry.

    Args:
        costs: Shape (..., entries, workloads), positive; infinite where an entry has no cost.
        ratio_max: Largest ratio that counts.
        reference: Cost of the reference on each workload; None: the lowest cost present.

    Returns:
        Shape (..., entries), from 0 to 1.
    """
    ratios = cost_ratios(costs, reference)
    if reference is None:
        return profile_areas(ratios, ratio_max)
    scores: Floats = profile_gain(np.log(ratios), ratio_max).mean(axis=-1)
    return scores
