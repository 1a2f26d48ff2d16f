"""Tuning: which trial of a study counts, what all of them cost, and what bought nothing.

AlgoPerf's external rule is the median over studies of the best of a study's trials. Here a study is
one run of an entry: the trial that counts stands for it, the others are cost of tuning. Where the
first passing snapshot counts, the best trial is the cheapest that reaches the target, as there.
Where the last snapshot counts, the mean of the hidden metric is tested against the target, and
choosing by that metric would choose luck; so the submission chooses, by the validation figure that
it logged. A claim can only cost the one who makes it.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from harness.records import Figure, RunScore, Spent, TrialOf, TuningAccount

Choice = Literal["validation", "cheapest", "own"]

CLAIM = "validation"
"""Name under which a submission logs the figure that chooses its trial."""


class Study(NamedTuple):
    """The trials of one study."""

    counting: RunScore
    """The trial that stands for it; broken where the study is not whole."""
    others: tuple[RunScore, ...]


def tuning_text(trial: TrialOf | None) -> str:
    """How an entry was tuned, as its ruleset's label says; empty for none."""
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


def _claim_key(run: RunScore, better: str) -> tuple[float, int]:
    assert run.trial is not None
    claimed = run.trial.validation
    worth = -math.inf if claimed is None else claimed if better == "higher" else -claimed
    return -worth, run.trial.index


def _cheapest_key(run: RunScore) -> tuple[float, int]:
    assert run.trial is not None
    return math.inf if run.time_s is None else run.time_s, run.trial.index


def _chosen(
    runs: Sequence[RunScore], choice: Choice, better: str, valid: Callable[[RunScore], bool]
) -> RunScore:
    """The trial that stands for a study; the first where none has a result."""
    good = [run for run in runs if valid(run)] or runs[:1]
    if choice == "cheapest":
        return min(good, key=_cheapest_key)
    return min(good, key=lambda run: _claim_key(run, better))


def _whole(runs: Sequence[RunScore], chosen: RunScore) -> RunScore:
    """The chosen run; broken where trials of its study are lacking, or one was run twice."""
    assert chosen.trial is not None
    due, found = chosen.trial.trials_count, sorted(run.trial.index for run in runs if run.trial)
    if found == list(range(due)):
        return chosen
    reason = f"{len(set(found))} of {due} trials of its study are there, in {len(found)} runs"
    return chosen.model_copy(update={"status": "aborted", "reason": reason, "reached": False})


def studies(
    runs: Iterable[RunScore], rule: str, better: str, valid: Callable[[RunScore], bool]
) -> list[Study]:
    """Sort the trials of an entry into studies, in order of their names.

    Args:
        runs: Trials of tuning, each with `trial`.
        rule: Which snapshot counts, `final` or `first_passing`.
        better: Direction of the metric.
        valid: Whether a run has a result under that rule.
    """
    by_study: dict[str, list[RunScore]] = defaultdict(list)
    for run in runs:
        assert run.trial is not None
        by_study[run.trial.study].append(run)
    found = []
    for _, trials in sorted(by_study.items()):
        trials.sort(key=lambda run: (run.trial.index if run.trial else 0, run.run_id))
        head = trials[0].trial
        assert head is not None
        chosen = _chosen(trials, choice_of(head, rule), better, valid)
        others = tuple(run for run in trials if run is not chosen)
        found.append(Study(_whole(trials, chosen), others))
    return found


# --- cost with tuning -----------------------------------------------------------------------------


Cost = Callable[[RunScore], float | None]


def tuning_costs(trials: Iterable[RunScore], window: Cost) -> dict[str, float | None]:
    """What the other trials of each study spent; None where one of them is unknown."""
    by_study: dict[str, list[float | None]] = defaultdict(list)
    for run in trials:
        if run.trial is not None:
            by_study[run.trial.study].append(window(run))
    return {study: _sum(values) for study, values in by_study.items()}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


def with_tuning(own: Cost, spent: Mapping[str, float | None]) -> Cost:
    """A run's own cost plus what the other trials of its study spent."""

    def total(run: RunScore) -> float | None:
        more = spent.get(run.trial.study, 0.0) if run.trial else 0.0
        value = own(run)
        return None if value is None or more is None else value + more

    return total


def _median(
    runs: Sequence[RunScore], cost: Cost, valid: Callable[[RunScore], bool]
) -> float | None:
    """Median over studies, a study without a hit being infinite; None: infinite or unknown."""
    values = [cost(run) if valid(run) and run.reached else math.inf for run in runs]
    known = [value for value in values if value is not None]
    if not runs or len(known) < len(values):
        return None
    middle = statistics.median(known)
    return middle if math.isfinite(middle) else None


def account(
    counting: Sequence[RunScore],
    rule: str,
    figures: tuple[Figure | None, Figure | None],
    valid: Callable[[RunScore], bool],
) -> TuningAccount | None:
    """The account of an entry's tuning; None where nothing was tuned.

    Args:
        counting: The trial that counts of each study.
        rule: Which snapshot counts.
        figures: Seconds and joules with tuning.
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
        time_with_tuning_s=figures[0],
        energy_with_tuning_j=figures[1],
    )


def spent_by(runs: Sequence[RunScore]) -> Spent:
    """What all runs of an entry spent, and those of them that never reached the target."""
    missed = [run for run in runs if not run.reached]
    return Spent(
        runs_count=len(runs),
        missed_count=len(missed),
        time_s=_sum([run.window_s for run in runs]),
        wasted_time_s=_sum([run.window_s for run in missed]),
        energy_j=_sum([run.energy.window_j for run in runs]) if runs else None,
        wasted_energy_j=_wasted_j(runs, missed),
    )


def _wasted_j(runs: Sequence[RunScore], missed: Sequence[RunScore]) -> float | None:
    """Joules of the runs that missed; not measured is never nothing wasted."""
    if not any(run.energy.window_j is not None for run in runs):
        return None
    return _sum([run.energy.window_j for run in missed])
