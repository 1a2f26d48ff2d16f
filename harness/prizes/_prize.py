"""What a prize is: the quantity that ranks, its unit, and the scores that can win."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.records import Figure, RunScore, Score
from harness.score.costs import Costs, sample_of, valid_runs
from harness.score.stats.sample import Sample


class Admission(NamedTuple):
    """Whether a score is ranked for a prize, and if not, the reason."""

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
    """Field of `Score.costs` that ranks, or `metric`; the lowest cost or the best metric wins."""
    unit: Literal["J", "s", ""]
    """Empty: a metric, in its own unit and direction; leads are differences, not ratios."""
    figure: Callable[[Score], Figure | None]
    """The figure that ranks."""
    sample: Callable[[Score], Sample]
    """The same by seed, lower is better: logarithms of costs, or metrics with the sign of their
    direction."""
    admit: Callable[[Score], Admission]
    explain_empty: Callable[[list[Score]], str]
    """What to say where no entry is admitted."""
    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    """Mode of the scores that it ranks."""
    compares: Literal["submissions", "machines"] = "submissions"
    """What competes: submissions on one machine, or machines with one submission."""
    across: bool = False
    """Whether it ranks over several workloads together, by the section `across` of the ruleset."""


def cost_sample(score: Score, costs: Callable[[list[RunScore]], Costs | None]) -> Sample:
    """The costs of a score, as logarithms by seed."""
    values = costs(valid_runs(score))
    return Sample({}, 0.0, open_ended=True) if values is None else sample_of(values, score)


def admit_scored(score: Score) -> Admission:
    """Admit every score that its ruleset accepts."""
    return Admission(score.status == "scored", score.reason)
