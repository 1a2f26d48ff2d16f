"""Calibration of a workload from runs of its reference: target, spread, detectable difference."""

import importlib.util
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.bundle import Bundle
from harness.clock import NS_PER_S
from harness.errors import JouleMarkError
from harness.records.base import FORMAT, Record, load
from harness.score.stats.comparison import detectable_ratio
from harness.score.stats.intervals import passes
from harness.score.stats.sample import Sample, sample_sd

SPARE_DEVIATIONS = 3
"""Standard deviations by which the target is easier than the median."""

BUDGET_RATIO = 3.0
"""Budget that the rule suggests, in multiples of the median run."""

SERIES_COUNT = 8
"""Seeds of a series under the default rules, for which the detectable difference is given."""

COMPLETE = ("ok", "target_missed")
"""Statuses of runs that trained to their own end."""


class CalibrationError(JouleMarkError, ValueError):
    """The runs cannot calibrate a workload; the message names the first such run."""


class CalibrationRun(Record):
    """One run of the reference, from its bundle or from a rehearsal."""

    seed: int
    steps: tuple[int | None, ...]
    time_s: tuple[float, ...] | None = None
    """Seconds after the start signal of each snapshot that counts; None of rehearsals."""
    cpu_s: tuple[float, ...] | None = None
    """CPU seconds of a rehearsal at each snapshot; None of runs through the harness."""
    metrics: tuple[float, ...]
    losses: tuple[float | None, ...]
    total_cpu_s: float | None
    """CPU seconds after the start signal."""
    predict_cpu_s: float | None
    """Of the last snapshot, loading included."""
    peak_rss_bytes: int | None = None


class InstanceSpread(Record):
    """How much drawn instances differ, and how much runs on one instance do."""

    instances_count: int
    runs_per_instance: int
    deviation_runs: float
    """Standard deviation of the final metric between runs on one instance."""
    deviation_instances: float
    """Standard deviation between instances, without the share of the runs; 0 where the means of
    instances differ less than the runs would make them differ."""


class Calibration(Record):
    """The calibration record of a workload, which its target cites."""

    format: int = FORMAT
    workload: str
    workload_version: str | None
    """Of the runs; setting the target afterwards changes it. None where it was not recorded."""
    submission: str
    machine: str | None
    """None where it was not recorded."""
    better: Literal["higher", "lower"]
    target: float
    """By the rule; the workload's own is `frozen_target`."""
    frozen_target: float
    median: float
    deviation: float
    worst: float
    budget_s: float
    """The workload's own."""
    suggested_budget_s: float
    """By the rule: three times the median run; of rehearsals in CPU seconds on one thread."""
    median_cpu_s: float | None
    median_steps_to_target: float | None
    median_predict_cpu_s: float | None
    peak_rss_bytes: int | None
    """Greatest over the runs."""
    time_spread_ratio: float | None
    """Standard deviation of the logarithm of the seconds to the target; of rehearsals in CPU
    seconds."""
    resolvable_ratio: float | None
    """Minimum detectable difference of two such entries of eight seeds (0.06 for 6 %), power 0.9,
    two-sided p < 0.05."""
    instances: InstanceSpread | None = None
    """None where it was not measured, or where every run has the same data."""
    runs: tuple[CalibrationRun, ...]


class Subject(NamedTuple):
    """What is calibrated."""

    workload: str
    workload_version: str | None
    submission: str
    machine: str | None
    better: Literal["higher", "lower"]
    digits: int
    """Digits after the point that the metric resolves."""
    frozen_target: float
    budget_s: float


def committed_record(workload: str) -> Calibration | None:
    """The committed record of one of the project's own workloads; None where there is none.

    Raises:
        RecordError: it is damaged.
    """
    spec = importlib.util.find_spec("workloads")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "calibrations", f"{workload}.json")
        if path.is_file():
            return load(Calibration, path.read_bytes(), path)
    return None


def target_by_rule(finals: Sequence[float], better: str, digits: int) -> float:
    """The median minus three standard deviations, never better than the worst run.

    The spread is at least what the metric resolves, for runs that all end at a cap. The target is
    rounded towards the easier side, to one digit fewer than the metric resolves.
    """
    spread = max(statistics.stdev(finals), 10.0**-digits)
    middle, spare = statistics.median(finals), SPARE_DEVIATIONS * spread
    scale = 10.0 ** (digits - 1)
    if better == "higher":
        return math.floor(min(middle - spare, *finals) * scale) / scale
    return math.ceil(max(middle + spare, *finals) * scale) / scale


def read_run(bundle: Bundle) -> CalibrationRun:
    """The calibration run of a sealed run.

    Raises:
        CalibrationError: the run did not train to its own end, or a snapshot has no value.
    """
    run, evaluation = bundle.run, bundle.evaluation
    if run.status not in COMPLETE or evaluation is None or run.window.gun_ns is None:
        raise CalibrationError(
            f"{bundle.folder}: {run.status}: {run.reason}; a calibration needs complete runs"
        )
    gun_ns = run.window.gun_ns
    values = {value.snapshot: value for value in evaluation.values}
    counted = [snapshot for snapshot in run.snapshots if snapshot.accepted]
    metrics = [values[item.index].value for item in counted if item.index in values]
    if None in metrics or len(metrics) != len(counted):
        raise CalibrationError(f"{bundle.folder}: a snapshot has no {run.workload.metric}")
    return CalibrationRun(
        seed=run.seeds.session,
        steps=tuple(item.step for item in counted),
        time_s=tuple((item.stamp_ns - gun_ns) / NS_PER_S for item in counted),
        metrics=tuple(metric for metric in metrics if metric is not None),
        losses=tuple(values[item.index].loss for item in counted),
        total_cpu_s=run.usage.window_cpu_s if run.usage else None,
        predict_cpu_s=values[counted[-1].index].cpu_s,
        peak_rss_bytes=run.usage.peak_rss_bytes if run.usage else None,
    )


def _first_passing(run: CalibrationRun, target: float, better: str) -> int | None:
    """Index of the first snapshot that passes."""
    places = (i for i, value in enumerate(run.metrics) if passes(value, target, better))
    return next(places, None)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def lead_of(deviation: float, count: int = SERIES_COUNT) -> float | None:
    """Minimum detectable difference of two entries of `count` seeds with that spread."""
    step = deviation * math.sqrt((count - 1) / count)  # n values at ±step have that deviation
    entry = Sample({seed: step if seed % 2 else -step for seed in range(count)}, 0.0)
    return detectable_ratio(entry, entry, 0.025)


def calibrate(bundles: Sequence[Bundle], digits: int) -> Calibration:
    """Apply the rule to the runs of a reference.

    Args:
        bundles: At least two runs of one submission on one workload.
        digits: Digits after the point that the metric resolves.

    Raises:
        CalibrationError: too few runs, or one that is not complete.
    """
    runs = [read_run(bundle) for bundle in bundles]
    if not runs:
        raise CalibrationError("0 runs show no spread; ask for --runs 2 or more")
    head = bundles[0].run
    work = head.workload
    subject = Subject(
        workload=work.name,
        workload_version=work.version,
        submission=head.submission.name,
        machine=head.machine,
        better=work.better,
        digits=digits,
        frozen_target=work.target,
        budget_s=work.budget_s,
    )
    return summed(subject, runs)


def _seconds(run: CalibrationRun) -> tuple[float, ...]:
    """Seconds after the start signal where they were recorded, else CPU seconds.

    Raises:
        CalibrationError: the run has neither.
    """
    seconds = run.cpu_s if run.time_s is None else run.time_s
    if seconds is None:
        raise CalibrationError(
            f"the run of seed {run.seed} has neither seconds nor CPU seconds; run it again"
        )
    return seconds


def _time_spread(runs: Sequence[CalibrationRun], places: Sequence[int | None]) -> float | None:
    """Deviation of the logarithm of the seconds to the target; None where one misses it."""
    hits = [(run, place) for run, place in zip(runs, places, strict=True) if place is not None]
    if len(hits) < len(runs):
        return None
    return sample_sd([math.log(_seconds(run)[place]) for run, place in hits])


def summed(subject: Subject, runs: Sequence[CalibrationRun]) -> Calibration:
    """The record of these runs.

    Raises:
        CalibrationError: fewer than two runs.
    """
    if len(runs) <= 1:
        raise CalibrationError(f"{len(runs)} runs show no spread; ask for --runs 2 or more")
    finals, better = [run.metrics[-1] for run in runs], subject.better
    target = target_by_rule(finals, better, subject.digits)
    places = [_first_passing(run, target, better) for run in runs]
    steps = [run.steps[place] for run, place in zip(runs, places, strict=True) if place is not None]
    deviation = _time_spread(runs, places)
    return Calibration(
        workload=subject.workload,
        workload_version=subject.workload_version,
        submission=subject.submission,
        machine=subject.machine,
        better=better,
        target=target,
        frozen_target=subject.frozen_target,
        median=statistics.median(finals),
        deviation=sample_sd(finals),
        worst=min(finals) if better == "higher" else max(finals),
        budget_s=subject.budget_s,
        suggested_budget_s=BUDGET_RATIO * statistics.median(_seconds(run)[-1] for run in runs),
        median_cpu_s=_median([run.total_cpu_s for run in runs]),
        median_steps_to_target=_median(steps),
        median_predict_cpu_s=_median([run.predict_cpu_s for run in runs]),
        peak_rss_bytes=max((run.peak_rss_bytes or 0 for run in runs), default=0) or None,
        time_spread_ratio=deviation,
        resolvable_ratio=None if deviation is None else lead_of(deviation),
        runs=tuple(runs),
    )
