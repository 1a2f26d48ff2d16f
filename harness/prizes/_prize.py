"""The shape of a prize: which quantity ranks, in which unit, and which scores may win it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.records import Figure, RunScore, Score
from harness.score.group import Costs


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
    """Field of `Score` that ranks; the lowest wins."""
    unit: Literal["J", "s"]
    figure: Callable[[Score], Figure | None]
    """The figure that ranks."""
    costs: Callable[[list[RunScore]], Costs | None]
    """The same by seed, of the runs that count."""
    admit: Callable[[Score], Admission]
    nobody: Callable[[list[Score]], str]
    """What to say where no entry is admitted."""


def admit_scored(score: Score) -> Admission:
    """What every prize asks for: a score that its ruleset accepts."""
    return Admission(score.status == "scored", score.reason)
