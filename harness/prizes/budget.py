"""The prize for the best quality when the budget is spent, as HAET's ten minutes."""

from collections import Counter

from harness.prizes._prize import Prize, admit_scored
from harness.records import Score
from harness.score.costs import ratios_to_reference, valid_runs
from harness.score.group import metrics_by_seed
from harness.score.stats.sample import RunMoment, Sample


def sample(score: Score) -> Sample:
    """Metrics by seed, with the sign that makes less better; no logarithms."""
    runs = valid_runs(score)
    sign = -1 if score.quality.better == "higher" else 1
    values = {seed: sign * value for seed, value in metrics_by_seed(runs).items()}
    # A seed that was run twice is no half of a pair.
    twice = Counter(run.seed for run in runs)
    moments = {
        run.seed: RunMoment(run.block if twice[run.seed] == 1 else "", run.started_utc)
        for run in runs
    }
    return Sample(
        values,
        score.quality.sd_floor,
        score.failures > 0,
        moments,
        ratios_to_reference(runs, lambda run, unit: _lead(run.metric, unit.metric, sign)),
    )


def _lead(metric: float | None, unit: float | None, sign: int) -> float | None:
    return None if metric is None or unit is None else sign * (metric - unit)


def explain_empty(scores: list[Score]) -> str:
    """Why the board is empty."""
    return f"no eligible entry: none of {len(scores)} has a metric from every seed under the rules"


PRIZE = Prize(
    name="budget",
    title="Quality at the budget",
    question="which submission has the best metric when the budget is spent?",
    quantity="metric",
    unit="",
    figure=lambda score: score.quality.figure,
    sample=sample,
    admit=admit_scored,
    explain_empty=explain_empty,
    mode="quality_at_budget",
)
