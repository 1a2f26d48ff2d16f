"""The shape of a prize: which quantity ranks, in which unit, and which scores may win it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.records import Award, Figure, Ruleset, RunScore, Score
from harness.score.costs import Costs, sample_of, valid_runs
from harness.score.stats.sample import Sample


class Admission(NamedTuple):
    """Whether a score may be ranked for a prize, and if not, why."""

    admitted: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Prize:
    """A prize plug-in: `PRIZE` in `prizes/<name>.py`."""

    name: str
    title: str
    question: str
    """What it rewards, as a question."""
    quantity: str
    """Field of `Score` that ranks; the lowest cost wins, or the best metric."""
    unit: Literal["J", "s", ""]
    """Empty: a metric, in its own unit and direction; leads are differences, not ratios."""
    figure: Callable[[Score], Figure | None]
    """The figure that ranks."""
    sample: Callable[[Score], Sample]
    """The same by seed, of the runs that count, so that less is better: logarithms of costs, or
    metrics with the sign of their direction."""
    admit: Callable[[Score], Admission]
    explain_empty: Callable[[list[Score]], str]
    """What to say where no entry is admitted."""
    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    """Scores of which mode it ranks."""
    compares: Literal["submissions", "machines"] = "submissions"
    """What competes: submissions on one machine, or machines with one submission."""
    decide: "Callable[[Sequence[Score], Prize, Ruleset], list[Award]] | None" = None
    """How it decides over several workloads together; None: on each workload by itself, with a
    board of its own."""


def cost_sample(score: Score, costs: Callable[[list[RunScore]], Costs | None]) -> Sample:
    """The costs that a score's standing rests on, as logarithms by seed."""
    found = costs(valid_runs(score))
    return Sample({}, 0.0, open_ended=True) if found is None else sample_of(found, score)


def admit_scored(score: Score) -> Admission:
    """What every prize asks for: a score that its ruleset accepts."""
    return Admission(score.status == "scored", score.reason)
