"""The prize for the fastest training method; one machine is a cluster of one."""

from harness.prizes._prize import Prize, admit_scored, cost_sample
from harness.records import Score
from harness.score.costs import time_costs


def explain_empty(scores: list[Score]) -> str:
    """Why the board is empty."""
    return f"no eligible entry: none of {len(scores)} reached the target under the rules"


PRIZE = Prize(
    name="speed",
    title="Time to target",
    question="which submission trains to the target in the fewest seconds?",
    quantity="time_to_target_s",
    unit="s",
    figure=lambda score: score.costs.time_to_target_s,
    sample=lambda score: cost_sample(score, time_costs),
    admit=admit_scored,
    explain_empty=explain_empty,
)
