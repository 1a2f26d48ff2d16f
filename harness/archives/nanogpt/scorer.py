"""modded-nanogpt: the mean time of a record's runs, if their mean loss beats the target.

A record's runs have a fixed length; what they train to must be below the target on the mean, by a
one-sided t test. The time is the mean of the logs' own clocks, which is what the field's table
prints in minutes.
"""

import statistics
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from harness.archives.scoring import (
    Cell,
    Contender,
    Field,
    Goal,
    boards_by_workload,
    figure,
    goals,
)
from harness.formats.format import Outcome
from harness.records import (
    Finding,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
    Ruleset,
)
from harness.score.stats import step_sd, target_p

LOSS_STEP = 1e-4
"""Nats per token between two losses that the logs can print."""


class _Runs(NamedTuple):
    """Runs of a record that ended with a loss and a clock."""

    losses: list[float]
    times_s: list[float]


def _whole(runs: Sequence[ImportedRun], goal: Goal) -> _Runs:
    found = _Runs([], [])
    for run in runs:
        loss = run.facts.get(f"final_{goal.metric}")
        if run.status == "ok" and run.time_s and isinstance(loss, int | float):
            found.losses.append(float(loss))
            found.times_s.append(run.time_s)
    return found


class _Verdict(NamedTuple):
    """What the rule makes of a record's losses."""

    status: Literal["scored", "target_missed", "too_few_runs"]
    reason: str
    p_value: float | None


def _verdict(goal: Goal, losses: Sequence[float], alpha: float) -> _Verdict:
    if not losses:
        return _Verdict("too_few_runs", "no run ended with a loss and a time", None)
    sign = ">=" if goal.better == "higher" else "<="
    mean = statistics.fmean(losses)
    said = f"mean {goal.metric} {mean:.5f} of {len(losses)}, target {sign} {goal.value:g}"
    p = target_p(losses, goal.value, goal.better, step_sd(LOSS_STEP))
    if p is None:
        return _Verdict("too_few_runs", f"{said}; one run has no p, and p < {alpha:g} is due", None)
    reason = f"{said}; p = {p:.2g}, and p < {alpha:g} is due"
    return _Verdict("scored" if p < alpha else "target_missed", reason, p)


def _facts(found: _Runs, verdict: _Verdict) -> dict[str, str | int | float | bool | None]:
    return {
        "mean_loss": statistics.fmean(found.losses) if found.losses else None,
        "mean_time_s": statistics.fmean(found.times_s) if found.times_s else None,
        "p_value": verdict.p_value,
    }


def score_cell(
    cell: Cell, runs: Sequence[ImportedRun], goal: Goal, level: float, alpha: float
) -> ImportedScore:
    """One record on one machine.

    Args:
        cell: What the score is about.
        runs: Its runs.
        goal: Target of the mean.
        level: Confidence of the interval of the time, as 0.95.
        alpha: Level of the test that the mean beats the target.
    """
    found = _whole(runs, goal)
    verdict = _verdict(goal, found.losses, alpha)
    time = None
    if verdict.status == "scored":
        time = figure(statistics.fmean(found.times_s), found.times_s, level)
    return ImportedScore(
        workload=cell.workload,
        submission=cell.submission,
        machine=cell.machine,
        n=len(found.losses),
        due_count=None,
        failures=len(runs) - len(found.losses),
        status=verdict.status,
        reason=verdict.reason,
        time_to_target_s=time,
        energy_to_target_j=None,
        facts=_facts(found, verdict),
    )


def _foreign(field: Field, known: dict[str, Goal]) -> Iterator[Finding]:
    names = sorted({run.workload for run in field.runs} - known.keys())
    if names:
        message = f"no target in these rules, so not scored: {', '.join(names)}"
        yield Finding(rule="nanogpt-no-target", level="info", message=message)


def _board(
    field: Field, scores: Sequence[ImportedScore], goals_: dict[str, Goal], alpha: float
) -> Iterator[ImportedStanding]:
    cells = field.cells()
    entries = {}
    for score in scores:
        time, cell = score.time_to_target_s, Cell(score.workload, score.submission, score.machine)
        if time is not None:
            times_s = _whole(cells[cell], goals_[cell.workload]).times_s
            entries[cell] = (Contender(cell, time.value, time.low, time.high), times_s)
    yield from boards_by_workload(entries, "time_to_target_s", alpha)


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score every record of the tracks that the rules have a target for.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    field, rules = Field.of(runs, ruleset)
    known = goals(rules.targets)
    scores = [
        score_cell(cell, own, known[cell.workload], rules.confidence, field.target_alpha)
        for cell, own in field.cells().items()
        if cell.workload in known
    ]
    board = _board(field, scores, known, rules.separation_alpha)
    return Outcome(tuple(scores), tuple(board), tuple(_foreign(field, known)))
