"""The prize for the most energy-efficient training method on one machine."""

from harness.prizes._prize import Admission, Prize, admit_scored, cost_sample
from harness.records import Score
from harness.score.costs import energy_costs


def admit(score: Score) -> Admission:
    """Joules must be there, measured, and trusted by the ruleset."""
    base = admit_scored(score)
    if not base.admitted:
        return base
    return Admission(score.energy.eligible, score.energy.note)


def explain_empty(scores: list[Score]) -> str:
    """Why the board is empty."""
    measured = any(score.energy.eligible for score in scores)
    return "no eligible entry" if measured else "no eligible entry: no measured joules"


PRIZE = Prize(
    name="energy",
    title="Energy to target",
    question="which submission trains to the target with the fewest joules?",
    quantity="energy_to_target_j",
    unit="J",
    figure=lambda score: score.costs.energy_to_target_j,
    sample=lambda score: cost_sample(score, energy_costs),
    admit=admit,
    explain_empty=explain_empty,
)
