"""The prize for the most energy-efficient hardware: one submission is fixed, machines compete."""

from harness.prizes._prize import Prize, cost_sample
from harness.prizes.energy import admit, explain_empty
from harness.score.costs import energy_costs

PRIZE = Prize(
    name="hardware",
    title="Energy to target by hardware",
    question="which machine trains the reference submission to the target with the fewest joules?",
    quantity="energy_to_target_j",
    unit="J",
    figure=lambda score: score.costs.energy_to_target_j,
    # Runs on two machines are no pairs, whatever their seeds, and share no reference's hour.
    sample=lambda score: cost_sample(score, energy_costs)._replace(
        moments=None, reference_ratios=None
    ),
    admit=admit,
    explain_empty=explain_empty,
    compares="machines",
)
