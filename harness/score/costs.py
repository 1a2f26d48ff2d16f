"""The costs of runs, by seed, from which figures, intervals and tests are computed."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.records import ReferenceRun, RunScore, Score
from harness.score.run.cost import BROKEN
from harness.score.stats.intervals import step_sd
from harness.score.stats.sample import ReferenceRatios, RunMoment, Sample

Cost = Callable[[RunScore], float | None]


class Costs(NamedTuple):
    """One cost of the runs that count, by seed."""

    values: dict[int, float]
    """Geometric mean of the runs of each seed."""
    sd_floor: float
    """Of the logarithms, from the resolution of the figure."""
    moments: Mapping[int, RunMoment]
    """Of each seed; a seed that was run twice has no block, since it is in no pair."""
    reference_ratios: ReferenceRatios | None
    """Costs over those of the paired reference runs, where every run is paired."""


def is_valid(run: RunScore, rule: str) -> bool:
    """Whether a run has a result: under `final` any metric, else one that reaches the target."""
    if run.status in BROKEN or run.time_s is None or run.time_s <= 0:
        return False
    return run.metric is not None if rule == "final" else run.reached


def valid_runs(score: Score) -> list[RunScore]:
    """The runs of a score that have a result."""
    return [run for run in score.runs if is_valid(run, score.rules.snapshot_rule)]


def ratios_to_reference(
    runs: Iterable[RunScore], log_ratio: Callable[[RunScore, ReferenceRun], float | None]
) -> ReferenceRatios | None:
    """Each run over the reference run that it is paired with; None unless all have one version.

    Args:
        runs: The runs that count.
        log_ratio: Of a run and the reference run; None where either has no figure.
    """
    logs: dict[int, float] = {}
    versions = set()
    for run in runs:
        value = log_ratio(run, run.reference) if run.reference else None
        if value is None or run.reference is None or run.seed in logs:
            return None
        logs[run.seed] = value
        versions.add(run.reference.submission_sha256)
    return ReferenceRatios(versions.pop(), logs) if len(versions) == 1 else None


def costs(
    runs: Iterable[RunScore],
    cost: Cost,
    step: Cost = lambda _: None,
    reference: Callable[[ReferenceRun], float | None] = lambda _: None,
) -> Costs | None:
    """A cost by seed; None where a run has no such cost, or there is no run.

    Runs that share a seed count as one, by their geometric mean.

    Args:
        runs: The runs that count.
        cost: Positive cost of a run.
        step: Resolution of that cost, in its unit.
        reference: The same cost of the reference run.
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
        moments[run.seed] = RunMoment("" if run.seed in moments else run.block, run.started_utc)
    if not by_seed:
        return None

    def log_ratio(run: RunScore, paired: ReferenceRun) -> float | None:
        """Logarithm of a run's cost over the reference's."""
        value, unit = cost(run), reference(paired)
        return math.log(value / unit) if value and unit and unit > 0 else None

    values = {seed: math.exp(statistics.fmean(logs)) for seed, logs in sorted(by_seed.items())}
    sd_floor = step_sd(statistics.median(steps))
    return Costs(values, sd_floor, moments, ratios_to_reference(runs, log_ratio))


def sample_of(values: Costs, score: Score) -> Sample:
    """The costs of a score as logarithms, with what comparisons need."""
    logs = {seed: math.log(value) for seed, value in values.values.items()}
    failed = score.failures > 0
    return Sample(logs, values.sd_floor, failed, values.moments, values.reference_ratios)


def time_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Seconds by seed."""
    return costs(runs, lambda run: run.time_s, lambda run: run.time_step_s, lambda ref: ref.time_s)


def energy_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Joules by seed."""
    return costs(
        runs,
        lambda run: run.energy.energy_j,
        lambda run: run.energy.step_j,
        lambda ref: ref.energy_j,
    )


def step_costs(runs: Iterable[RunScore]) -> Costs | None:
    """Training steps by seed, as the submissions report them."""
    return costs(runs, lambda run: run.step)


def dollars_of(run: RunScore, seconds: float | None) -> float | None:
    """Seconds of a run at the declared price of its machine, US dollars; None without a price."""
    price = run.price_usd_per_h
    return None if price is None or seconds is None else seconds / 3600.0 * price


def dollar_costs(runs: Iterable[RunScore]) -> Costs | None:
    """US dollars by seed; None where no price was declared."""
    runs = list(runs)
    dollars = costs(
        runs, lambda run: dollars_of(run, run.time_s), lambda run: dollars_of(run, run.time_step_s)
    )
    # At the price of one machine the ratio of dollars is that of seconds.
    seconds = time_costs(runs)
    if dollars is None or seconds is None:
        return dollars
    return dollars._replace(reference_ratios=seconds.reference_ratios)
