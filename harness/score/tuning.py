"""Tuning: which trial of a study counts, and what all trials cost.

AlgoPerf's external rule is the median over studies of the best trial of each study. Here a study is
one run of an entry, which the trial that counts represents; the others are cost of tuning. Where
the first passing snapshot is scored, the best trial is the cheapest that reaches the target, as in
AlgoPerf. Where the last snapshot is scored, the mean of the hidden metric is tested against the
target, so that choosing a trial by that metric would bias the test; the submission chooses instead,
by the validation figure that it logged. A wrong figure only harms the submission itself.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from harness.records import Figure, RunScore, Spent, TrialOf, TuningAccount

Choice = Literal["validation", "cheapest", "own"]
Cost = Callable[[RunScore], float | None]


class Study(NamedTuple):
    """The trials of one study."""

    counting: RunScore
    """The trial that represents it; broken where the study is incomplete."""
    others: tuple[RunScore, ...]


def tuning_text(trial: TrialOf | None) -> str:
    """How an entry was tuned, for the label of its ruleset; empty where it was not."""
    if trial is None:
        return ""
    if trial.mode == "self":
        return "self-tuning"
    return f"external tuning, {trial.trials_count} trial{'s' if trial.trials_count > 1 else ''}"


def choice_of(trial: TrialOf, rule: str) -> Choice:
    """What chooses the trial that counts under a rule for snapshots."""
    if trial.mode == "self":
        return "own"
    return "cheapest" if rule == "first_passing" else "validation"


def _trial(run: RunScore) -> TrialOf:
    assert run.trial is not None
    return run.trial


def _chosen(runs: Sequence[RunScore], choice: Choice, better: str) -> RunScore:
    def key(run: RunScore) -> tuple[float, int]:
        """What the choice minimizes; ties by trial number."""
        trial = _trial(run)
        if choice == "cheapest":
            return math.inf if run.time_s is None else run.time_s, trial.index
        if trial.validation is None:
            return math.inf, trial.index
        return trial.validation * (-1 if better == "higher" else 1), trial.index

    return min(runs, key=key)


def _checked(chosen: RunScore, runs: Sequence[RunScore]) -> RunScore:
    """The chosen run; broken where trials of its study are missing, or one was run twice."""
    due, indices = _trial(chosen).trials_count, sorted(_trial(run).index for run in runs)
    if indices == list(range(due)):
        return chosen
    reason = f"{len(set(indices))} of {due} trials of its study are there, in {len(runs)} runs"
    return chosen.model_copy(update={"status": "aborted", "reason": reason, "reached": False})


def studies(
    runs: Iterable[RunScore], rule: str, better: str, valid: Callable[[RunScore], bool]
) -> list[Study]:
    """Sort the trials of an entry into studies, in order of their names.

    Args:
        runs: Tuning trials, each with `trial`.
        rule: Which snapshot is scored, `final` or `first_passing`.
        better: Direction of the metric.
        valid: Whether a run has a result under that rule.
    """
    by_study: dict[str, list[RunScore]] = defaultdict(list)
    for run in runs:
        by_study[_trial(run).study].append(run)
    result = []
    for _, trials in sorted(by_study.items()):
        trials.sort(key=lambda run: (_trial(run).index, run.run_id))
        candidates = [run for run in trials if valid(run)] or trials[:1]
        chosen = _chosen(candidates, choice_of(_trial(trials[0]), rule), better)
        others = tuple(run for run in trials if run is not chosen)
        result.append(Study(_checked(chosen, trials), others))
    return result


# --- cost with tuning -----------------------------------------------------------------------------


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum; None where a value is unknown."""
    total = list(values)
    known = [value for value in total if value is not None]
    return math.fsum(known) if len(known) == len(total) else None


def tuning_costs(trials: Iterable[RunScore], window: Cost) -> dict[str, float | None]:
    """What the other trials of each study used; None where one of them is unknown."""
    by_study: dict[str, list[float | None]] = defaultdict(list)
    for run in trials:
        if run.trial is not None:
            by_study[run.trial.study].append(window(run))
    return {study: _sum(values) for study, values in by_study.items()}


def with_tuning(own: Cost, spent: Mapping[str, float | None]) -> Cost:
    """A run's own cost plus what the other trials of its study used."""
    return lambda run: _sum((own(run), spent.get(run.trial.study, 0.0) if run.trial else 0.0))


def _median(
    runs: Sequence[RunScore], cost: Cost, valid: Callable[[RunScore], bool]
) -> float | None:
    """Median over studies, a study that missed being infinite; None: infinite or unknown."""
    values = [cost(run) if valid(run) and run.reached else math.inf for run in runs]
    known = [value for value in values if value is not None]
    middle = statistics.median(known) if len(known) == len(values) else math.inf
    return middle if math.isfinite(middle) else None


def account(
    counting: Sequence[RunScore],
    rule: str,
    time: Figure | None,
    energy: Figure | None,
    valid: Callable[[RunScore], bool],
) -> TuningAccount | None:
    """The account of an entry's tuning; None where nothing was tuned.

    Args:
        counting: The trial that counts of each study.
        rule: Which snapshot is scored.
        time: Seconds with tuning.
        energy: Joules with tuning.
        valid: Whether a run has a result under that rule.
    """
    head = counting[0].trial if counting else None
    if head is None:
        return None
    return TuningAccount(
        mode=head.mode,
        trials_count=head.trials_count,
        studies_count=len(counting),
        choice=choice_of(head, rule),
        median_time_s=_median(counting, lambda run: run.time_s, valid),
        median_energy_j=_median(counting, lambda run: run.energy.energy_j, valid),
        time_with_tuning_s=time,
        energy_with_tuning_j=energy,
    )


def spent_by(runs: Sequence[RunScore]) -> Spent:
    """What all runs of an entry used, and those of them that never reached the target."""
    missed = [run for run in runs if not run.reached]
    measured = any(run.energy.window_j is not None for run in runs)
    return Spent(
        runs_count=len(runs),
        missed_count=len(missed),
        time_s=_sum(run.window_s for run in runs),
        wasted_time_s=_sum(run.window_s for run in missed),
        # Joules that were not measured are unknown, even if no run missed the target.
        energy_j=_sum(run.energy.window_j for run in runs) if measured else None,
        wasted_energy_j=_sum(run.energy.window_j for run in missed) if measured else None,
    )
