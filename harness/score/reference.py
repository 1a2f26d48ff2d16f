"""Attaches to each run the cost of the reference run that it is paired with."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.records import ReferenceRun, RunScore, Score
from harness.score.costs import is_valid
from harness.score.stats.comparison import find_pairs
from harness.score.stats.sample import RunMoment
from harness.score.tuning import tuning_text

REFERENCE_SUFFIX = "-adamw"
"""The reference submission of a workload is named after it, with this suffix."""

ComparisonKey = tuple[str, ...]


def _key(score: Score) -> ComparisonKey:
    """What a pair shares; the reference is not tuned, whoever it alternates with."""
    how = tuning_text(score.runs[0].trial) if score.runs else ""
    label = score.rules.ruleset.removesuffix(f" ({how})") if how else score.rules.ruleset
    return (score.entry.workload, score.entry.workload_version, score.entry.machine, label)


class Reference(NamedTuple):
    """The runs of a workload's reference."""

    sha256: str
    runs: tuple[RunScore, ...]
    rule: str


def _known(scores: Iterable[Score]) -> dict[ComparisonKey, list[Reference]]:
    """The versions of the reference on each ground."""
    found: dict[ComparisonKey, list[Reference]] = {}
    for score in scores:
        if score.entry.submission == f"{score.entry.workload}{REFERENCE_SUFFIX}":
            entry = Reference(score.entry.sha256, score.runs, score.rules.snapshot_rule)
            found.setdefault(_key(score), []).append(entry)
    return found


def _moments(runs: Iterable[RunScore]) -> dict[int, RunMoment]:
    return {run.seed: RunMoment(run.block, run.started_utc) for run in runs}


def _partners(score: Score, reference: Reference) -> dict[int, RunScore]:
    """The reference's run by seed, for runs that alternated with it and where it has a result."""
    paired = find_pairs(_moments(score.runs), _moments(reference.runs))
    return {
        run.seed: run
        for run in reference.runs
        if run.seed in paired and is_valid(run, reference.rule)
    }


def _attach(run: RunScore, partner: RunScore, version: str) -> RunScore:
    like = run.energy.domains == partner.energy.domains
    unit = ReferenceRun(
        submission_sha256=version,
        time_s=partner.time_s,
        energy_j=partner.energy.energy_j if like else None,
        metric=partner.metric,
    )
    return run.model_copy(update={"reference": unit})


def _with_partners(score: Score, references: Iterable[Reference]) -> Score:
    found = {
        seed: (run, reference.sha256)
        for reference in references
        for seed, run in _partners(score, reference).items()
    }
    if not found:
        return score
    runs = tuple(_attach(run, *found[run.seed]) if run.seed in found else run for run in score.runs)
    return score.model_copy(update={"runs": runs})


def attach_reference_runs(scores: Sequence[Score]) -> list[Score]:
    """The scores, each run with the reference's run of its pair where the two alternated.

    Whoever alternated with the reference is comparable with whoever else did, in multiples of it.
    The reference's own runs stay as they are.
    """
    known = _known(scores)
    return [
        score
        if score.entry.submission == f"{score.entry.workload}{REFERENCE_SUFFIX}"
        else _with_partners(score, known.get(_key(score), ()))
        for score in scores
    ]
