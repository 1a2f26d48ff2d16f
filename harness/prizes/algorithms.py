"""The prize for the training algorithm that is best over several workloads: HITY's question."""

from harness.prizes._prize import Prize, admit_scored, cost_sample
from harness.records import Score
from harness.score.costs import time_costs


def explain_empty(scores: list[Score]) -> str:
    """Why the board is empty."""
    return f"no eligible entry: none of {len(scores)} reached its target under the rules"


PRIZE = Prize(
    name="algorithms",
    title="Algorithms across workloads",
    question="which training algorithm is best over several workloads, its tuning paid for?",
    quantity="time_to_target_s",
    unit="s",
    figure=lambda score: score.costs.time_to_target_s,
    sample=lambda score: cost_sample(score, time_costs),
    admit=admit_scored,
    explain_empty=explain_empty,
    across=True,
)
