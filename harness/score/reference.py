"""Lays beside each run what the reference's run of the same pair cost, in the same hour."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.records import ReferenceRun, RunScore, Score
from harness.score.contrast import pairs_of
from harness.score.costs import is_valid
from harness.score.stats import Moment
from harness.score.tuning import tuning_text

REFERENCE_SUFFIX = "-adamw"
"""The reference submission of a workload is named after it, with this suffix."""

Ground = tuple[str, ...]


def _ground(score: Score) -> Ground:
    """What a pair shares; the reference is not tuned, whoever it alternates with."""
    how = tuning_text(score.runs[0].trial) if score.runs else ""
    label = score.ruleset.removesuffix(f" ({how})") if how else score.ruleset
    return (score.workload, score.workload_version, score.machine, label)


class Reference(NamedTuple):
    """The runs of a workload's reference."""

    sha256: str
    runs: tuple[RunScore, ...]
    rule: str


def _known(scores: Iterable[Score]) -> dict[Ground, list[Reference]]:
    """The versions of the reference on each ground."""
    found: dict[Ground, list[Reference]] = {}
    for score in scores:
        if score.submission == f"{score.workload}{REFERENCE_SUFFIX}":
            entry = Reference(score.submission_sha256, score.runs, score.snapshot_rule)
            found.setdefault(_ground(score), []).append(entry)
    return found


def _moments(runs: Iterable[RunScore]) -> dict[int, Moment]:
    return {run.seed: Moment(run.block, run.started_utc) for run in runs}


def _partners(score: Score, reference: Reference) -> dict[int, RunScore]:
    """The reference's run by seed, for runs that alternated with it and where it has a result."""
    paired = pairs_of(_moments(score.runs), _moments(reference.runs))
    return {
        run.seed: run
        for run in reference.runs
        if run.seed in paired and is_valid(run, reference.rule)
    }


def _laid_beside(run: RunScore, partner: RunScore, version: str) -> RunScore:
    like = run.energy_domains == partner.energy_domains
    unit = ReferenceRun(
        submission_sha256=version,
        time_s=partner.time_s,
        energy_j=partner.energy_j if like else None,
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
    runs = tuple(
        _laid_beside(run, *found[run.seed]) if run.seed in found else run for run in score.runs
    )
    return score.model_copy(update={"runs": runs})


def beside_the_reference(scores: Sequence[Score]) -> list[Score]:
    """The scores, each run with the reference's run of its pair where the two alternated.

    Whoever alternated with the reference is comparable with whoever else did, in multiples of it.
    The reference's own runs stay as they are.
    """
    known = _known(scores)
    return [
        score
        if score.submission == f"{score.workload}{REFERENCE_SUFFIX}"
        else _with_partners(score, known.get(_ground(score), ()))
        for score in scores
    ]
