"""The costs of runs, by seed: what figures, intervals and tests are made of."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.records import ReferenceRun, RunScore, Score
from harness.score.run.cost import BROKEN
from harness.score.stats.intervals import step_sd
from harness.score.stats.sample import ReferenceRatios, RunMoment, Sample

SECONDS_PER_HOUR = 3600.0


class Costs(NamedTuple):
    """One cost of the runs that count, by seed."""

    values: dict[int, float]
    """Geometric mean of the runs of each seed."""
    sd_floor: float
    """Of the logarithms, from the resolution of the figure."""
    moments: Mapping[int, RunMoment]
    """Of the last run of each seed; of a seed that was run twice without a block, as it is no half
    of a pair."""
    reference_ratios: ReferenceRatios | None
    """In multiples of the reference's, where every run alternated with one of it."""


def is_valid(run: RunScore, rule: str) -> bool:
    """Whether a run has a result: under `final` any metric, else one that reaches the target."""
    if run.status in BROKEN or run.time_s is None or run.time_s <= 0:
        return False
    return run.metric is not None if rule == "final" else run.reached


def valid_runs(score: Score) -> list[RunScore]:
    """The runs of a score that have a result."""
    return [run for run in score.runs if is_valid(run, score.rules.snapshot_rule)]


def _no_step(_: RunScore) -> float:
    return 0.0


def _no_reference(_: ReferenceRun) -> None:
    return None


def ratios_to_reference(
    runs: Iterable[RunScore], log_ratio: Callable[[RunScore, ReferenceRun], float | None]
) -> ReferenceRatios | None:
    """Each run against the reference's run of its pair; None unless all have one, of one version.

    Args:
        runs: The runs that count; none shares a seed.
        log_ratio: Of a run and the reference's; None where either lacks the figure.
    """
    found: dict[int, float] = {}
    versions = set()
    for run in runs:
        value = log_ratio(run, run.reference) if run.reference else None
        if value is None or run.reference is None or run.seed in found:
            return None
        found[run.seed] = value
        versions.add(run.reference.submission_sha256)
    return ReferenceRatios(versions.pop(), found) if len(versions) == 1 else None


def _log_ratio(value: float | None, unit: float | None) -> float | None:
    return math.log(value / unit) if value and unit and value > 0 and unit > 0 else None


def costs(
    runs: Iterable[RunScore],
    cost: Callable[[RunScore], float | None],
    step: Callable[[RunScore], float | None] = _no_step,
    reference: Callable[[ReferenceRun], float | None] = _no_reference,
) -> Costs | None:
    """A cost by seed; None where a run lacks it or there is no run.

    Runs that share a seed count as one, by their geometric mean.

    Args:
        runs: The runs that count.
        cost: Positive cost of a run.
        step: Resolution of that cost, in its unit.
        reference: The same cost of the reference's run.
    """
    runs = list(runs)
    by_seed: dict[int, list[float]] = defaultdict(list)
    steps: list[float] = []
    moments: dict[int, RunMoment] = {}
    for run in runs:
        value = cost(run)
        if value is None or value <= 0:
            return None
        by_seed[run.seed].append(math.log(value))
        steps.append((step(run) or 0.0) / value)
        again = run.seed in moments
        moments[run.seed] = RunMoment("" if again else run.block, run.started_utc)
    if not by_seed:
        return None
    values = {seed: math.exp(statistics.fmean(logs)) for seed, logs in sorted(by_seed.items())}
    ratios = ratios_to_reference(runs, lambda run, unit: _log_ratio(cost(run), reference(unit)))
    return Costs(values, step_sd(statistics.median(steps)), moments, ratios)


def sample_of(found: Costs, score: Score) -> Sample:
    """The costs of a score as logarithms, with what comparisons ask of them."""
    logs = {seed: math.log(value) for seed, value in found.values.items()}
    return Sample(logs, found.sd_floor, score.failures > 0, found.moments, found.reference_ratios)


def time_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Seconds by seed."""
    return costs(
        runs, lambda run: run.time_s, lambda run: run.time_step_s, lambda unit: unit.time_s
    )


def energy_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Joules by seed."""
    return costs(
        runs,
        lambda run: run.energy.energy_j,
        lambda run: run.energy.step_j,
        lambda unit: unit.energy_j,
    )


def step_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Claimed training steps by seed."""
    return costs(runs, lambda run: run.step)


def dollars_of(run: RunScore, seconds: float | None) -> float | None:
    """Seconds of a run at the declared price of its machine, US dollars; None without a price."""
    price = run.price_usd_per_h
    return None if price is None or seconds is None else seconds / SECONDS_PER_HOUR * price


def dollar_costs(runs: Iterable[RunScore]) -> Costs | None:
    """US dollars by seed; None where nobody declared a price."""
    runs = list(runs)
    found = costs(
        runs, lambda run: dollars_of(run, run.time_s), lambda run: dollars_of(run, run.time_step_s)
    )
    # At the price of one machine dollars are in the ratio of seconds.
    seconds = time_costs(runs)
    return found._replace(reference_ratios=seconds.reference_ratios) if found and seconds else found
