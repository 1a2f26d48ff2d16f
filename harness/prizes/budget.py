"""The prize for the best quality when the budget is spent, as HAET's ten minutes."""

from harness.prizes._prize import Prize, admit_scored, valid_runs
from harness.records import Score
from harness.score.group import metrics_by_seed
from harness.score.stats import Moment, Sample


def sample(score: Score) -> Sample:
    """Metrics by seed, with the sign that makes less better; no logarithms."""
    runs = valid_runs(score)
    sign = -1 if score.better == "higher" else 1
    values = {seed: sign * value for seed, value in metrics_by_seed(runs).items()}
    moments = {run.seed: Moment(run.block, run.started_utc) for run in runs}
    known = moments if len(moments) == len(runs) else None
    return Sample(values, score.metric_sd_floor, score.failures > 0, known)


def nobody(scores: list[Score]) -> str:
    """Why the board is empty."""
    return f"no eligible entry: none of {len(scores)} has a metric from every seed under the rules"


PRIZE = Prize(
    name="budget",
    title="Quality at the budget",
    question="which submission has the best metric when the budget is spent?",
    quantity="metric",
    unit="",
    figure=lambda score: score.metric,
    sample=sample,
    admit=admit_scored,
    nobody=nobody,
    mode="quality_at_budget",
)
