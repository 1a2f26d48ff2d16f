"""modded-nanogpt: the mean time of a record's runs, if their mean loss beats the target.

The runs of a record have a fixed length; the mean of what they train to must beat the target by a
one-sided t test. The time is the mean of the logs' own clocks, which is what the project's table
prints in minutes.
"""

import statistics
from collections.abc import Sequence
from typing import Literal

from harness.archives.scoring import (
    EntryKey,
    TargetMetric,
    by_entry,
    figure,
    leaderboards,
    read_targets,
    report_without_target,
)
from harness.formats.format import Outcome
from harness.formats.imported import imported_rules
from harness.records import ImportedRun, ImportedScore, Ruleset
from harness.score.stats.intervals import step_sd, target_p

LOSS_STEP = 1e-4
"""Nats per token between two losses that the logs can print."""


def _counted(runs: Sequence[ImportedRun], target: TargetMetric) -> tuple[list[float], list[float]]:
    """Losses, and times in seconds, of the runs that ended with both."""
    counted = [
        (float(loss), run.time_s)
        for run in runs
        if isinstance(loss := run.facts.get(f"final_{target.metric}"), int | float)
        and run.status == "ok"
        and run.time_s
    ]
    return [loss for loss, _ in counted], [time_s for _, time_s in counted]


def _judge(
    target: TargetMetric, losses: Sequence[float], alpha: float
) -> tuple[Literal["scored", "target_missed", "too_few_runs"], str, float | None]:
    """Status, reason and p value of the losses."""
    if not losses:
        return "too_few_runs", "no run ended with a loss and a time", None
    sign = ">=" if target.better == "higher" else "<="
    mean = f"mean {target.metric} {statistics.fmean(losses):.5f} of {len(losses)}"
    stated = f"{mean}, target {sign} {target.value:g}"
    p = target_p(losses, target.value, target.better, step_sd(LOSS_STEP))
    if p is None:
        return "too_few_runs", f"{stated}; one run has no p, and p < {alpha:g} is due", None
    reason = f"{stated}; p = {p:.2g}, and p < {alpha:g} is due"
    return ("scored" if p < alpha else "target_missed"), reason, p


def score_entry(
    key: EntryKey, runs: Sequence[ImportedRun], target: TargetMetric, level: float, alpha: float
) -> ImportedScore:
    """Score one record on one machine.

    Args:
        key: What the score is about.
        runs: Its runs.
        target: Target of the mean loss.
        level: Confidence of the interval of the time, as 0.95.
        alpha: Level of the test that the mean beats the target.
    """
    losses, times_s = _counted(runs, target)
    status, reason, p = _judge(target, losses, alpha)
    mean_s = statistics.fmean(times_s) if times_s else None
    scored = status == "scored" and mean_s is not None
    return ImportedScore(
        **key._asdict(),
        n=len(losses),
        due_count=None,
        failures=len(runs) - len(losses),
        status=status,
        reason=reason,
        time_to_target_s=figure(mean_s, times_s, level) if scored and mean_s else None,
        energy_to_target_j=None,
        facts={
            "mean_loss": statistics.fmean(losses) if losses else None,
            "mean_time_s": mean_s,
            "p_value": p,
        },
    )


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score every record of the tracks that the rules have a target for.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    rules = imported_rules(ruleset)
    targets, alpha = read_targets(rules.targets), ruleset.score.target_alpha
    entries = {key: own for key, own in by_entry(runs).items() if key.workload in targets}
    scores = [
        score_entry(key, own, targets[key.workload], rules.confidence, alpha)
        for key, own in entries.items()
    ]
    times_s = {key: _counted(own, targets[key.workload])[1] for key, own in entries.items()}
    board = leaderboards(scores, times_s, "time_to_target_s", rules.separation_alpha)
    findings = report_without_target(runs, targets, "nanogpt-no-target")
    return Outcome(tuple(scores), tuple(board), tuple(findings))
