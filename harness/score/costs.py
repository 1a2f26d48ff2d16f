"""The costs of runs, by seed: what figures, intervals and tests are made of."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.records import RunScore
from harness.score.cost import BROKEN
from harness.score.stats import Moment, step_sd

SECONDS_PER_HOUR = 3600.0


class Costs(NamedTuple):
    """One cost of the runs that count, by seed."""

    values: dict[int, float]
    """Geometric mean of the runs of each seed."""
    sd_floor: float
    """Of the logarithms, from the resolution of the figure."""
    moments: Mapping[int, Moment] | None = None
    """Of the only run of each seed; None where a seed was run twice."""


def is_valid(run: RunScore, rule: str) -> bool:
    """Whether a run has a result: under `final` any metric, else one that reaches the target."""
    if run.status in BROKEN or run.time_s is None or run.time_s <= 0:
        return False
    return run.metric is not None if rule == "final" else run.reached


def _no_step(_: RunScore) -> float:
    return 0.0


def costs(
    runs: Iterable[RunScore],
    cost: Callable[[RunScore], float | None],
    step: Callable[[RunScore], float | None] = _no_step,
) -> Costs | None:
    """A cost by seed; None where a run lacks it or there is no run.

    Runs that share a seed count as one, by their geometric mean.

    Args:
        runs: The runs that count.
        cost: Positive cost of a run.
        step: Resolution of that cost, in its unit.
    """
    by_seed: dict[int, list[float]] = defaultdict(list)
    steps: list[float] = []
    moments: dict[int, Moment] = {}
    for run in runs:
        value = cost(run)
        if value is None or value <= 0:
            return None
        by_seed[run.seed].append(math.log(value))
        steps.append((step(run) or 0.0) / value)
        moments[run.seed] = Moment(run.block, run.started_utc)
    if not by_seed:
        return None
    values = {seed: math.exp(statistics.fmean(logs)) for seed, logs in sorted(by_seed.items())}
    single = len(steps) == len(values)
    return Costs(values, step_sd(statistics.median(steps)), moments if single else None)


def time_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Seconds by seed."""
    return costs(runs, lambda run: run.time_s, lambda run: run.time_step_s)


def energy_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Joules by seed."""
    return costs(runs, lambda run: run.energy_j, lambda run: run.energy_step_j)


def step_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Claimed training steps by seed."""
    return costs(runs, lambda run: run.step)


def dollars_of(run: RunScore, seconds: float | None) -> float | None:
    """Seconds of a run at the declared price of its machine, US dollars; None without a price."""
    price = run.price_usd_per_h
    return None if price is None or seconds is None else seconds / SECONDS_PER_HOUR * price


def dollar_costs(runs: Iterable[RunScore]) -> Costs | None:
    """US dollars by seed; None where nobody declared a price."""
    return costs(
        runs, lambda run: dollars_of(run, run.time_s), lambda run: dollars_of(run, run.time_step_s)
    )
