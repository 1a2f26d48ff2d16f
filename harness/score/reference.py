"""Attaches to each run the cost of the reference run that it is paired with."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.records import ReferenceRun, RunScore, Score, reference_of
from harness.score.costs import valid_runs
from harness.score.stats.comparison import find_pairs
from harness.score.stats.sample import RunMoment
from harness.score.tuning import tuning_text


class ComparisonKey(NamedTuple):
    """What two scores must share to be compared."""

    workload: str
    version: str
    machine: str
    ruleset: str
    """Without how the entry was tuned: the reference is not tuned."""


def _key(score: Score) -> ComparisonKey:
    tuned = tuning_text(score.runs[0].trial) if score.runs else ""
    ruleset = score.rules.ruleset.removesuffix(f" ({tuned})")
    entry = score.entry
    return ComparisonKey(entry.workload, entry.workload_version, entry.machine, ruleset)


def _is_reference(score: Score) -> bool:
    return score.entry.submission == reference_of(score.entry.workload)


def _moments(runs: Iterable[RunScore]) -> dict[int, RunMoment]:
    return {run.seed: RunMoment(run.block, run.started_utc) for run in runs}


def _reference_run(run: RunScore, reference: RunScore, sha256: str) -> ReferenceRun:
    same_domains = run.energy.domains == reference.energy.domains
    return ReferenceRun(
        submission_sha256=sha256,
        time_s=reference.time_s,
        energy_j=reference.energy.energy_j if same_domains else None,
        metric=reference.metric,
    )


def _with_reference_runs(score: Score, references: Sequence[Score]) -> Score:
    partners: dict[int, tuple[RunScore, str]] = {}
    for reference in references:
        pairs = find_pairs(_moments(score.runs), _moments(reference.runs))
        for run in valid_runs(reference):
            if run.seed in pairs:
                partners[run.seed] = (run, reference.entry.sha256)
    if not partners:
        return score
    runs = tuple(
        run.model_copy(update={"reference": _reference_run(run, *partners[run.seed])})
        if run.seed in partners
        else run
        for run in score.runs
    )
    return score.model_copy(update={"runs": runs})


def attach_reference_runs(scores: Sequence[Score]) -> list[Score]:
    """The scores, each run with the cost of the reference run that it is paired with.

    Entries that are paired with the same reference are comparable. The reference's own runs stay
    unchanged.
    """
    references: dict[ComparisonKey, list[Score]] = defaultdict(list)
    for score in scores:
        if _is_reference(score):
            references[_key(score)].append(score)
    return [
        score
        if _is_reference(score)
        else _with_reference_runs(score, references.get(_key(score), ()))
        for score in scores
    ]
