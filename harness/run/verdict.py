"""The status of a run and the reason for it, from what was observed and evaluated."""

from typing import NamedTuple

from harness.plugins import Exit
from harness.records import Evaluation, Finding, MetricValue, Status
from harness.run.evaluate import DIVERGED
from harness.run.judge import passes
from harness.run.order import Order
from harness.run.supervisor import Observation


class StatusReason(NamedTuple):
    """A status and the sentence that explains it."""

    status: Status
    reason: str


def scored_value(
    evaluation: Evaluation | None, observation: Observation, order: Order
) -> MetricValue | None:
    """The value of the scored snapshot: the last accepted one, or the first one that passes.

    If none passes, `first_passing` takes the last one.
    """
    accepted = {item.record.index for item in observation.held if item.record.accepted}
    all_values = evaluation.values if evaluation else ()
    values = [value for value in all_values if value.snapshot in accepted]
    if order.ruleset.run.snapshot_rule == "first_passing":
        for value in values:
            if passes(value.value, order.entry.workload):
                return value
    return values[-1] if values else None


def _ending(observation: Observation, exit_: Exit | None, last_words: str) -> StatusReason | None:
    """A status that follows from how the run ended, whatever was handed over before."""
    reason, said = observation.reason, f"; its last line: {last_words}" if last_words else ""
    by_ending: dict[str, StatusReason] = {
        "interrupt": StatusReason("aborted", "stopped by the operator before the run was over"),
        "violation": StatusReason("invalid", reason),
        "fault": StatusReason("aborted", reason or "the harness could not continue"),
        "start_cap": StatusReason("killed", f"was not ready within the ruleset's cap{said}"),
        "setup_cap": StatusReason("killed", f"setup() did not end within the ruleset's cap{said}"),
    }
    if observation.ended_by in by_ending:
        return by_ending[observation.ended_by]
    if exit_ is not None and exit_.oom:
        return StatusReason("oom", "the kernel killed it at its memory limit")
    if observation.ended_by == "exit" and exit_ is not None:
        return _own_exit(observation, exit_, said)
    return None


def _own_exit(observation: Observation, exit_: Exit, said: str) -> StatusReason | None:
    when = "" if observation.gun_ns is not None else " before the start signal"
    if exit_.code and exit_.signal is None:
        return StatusReason("crashed", f"exited with code {exit_.code}{when}{said}")
    if exit_.code != 0:
        how = f"signal {exit_.signal}" if exit_.signal else "an unknown signal"
        alternative = f", or exited with {exit_.code}, which the launcher cannot distinguish"
        text = f"was ended by {how}, which the harness did not send"
        return StatusReason("killed", f"{text}{alternative if exit_.code else ''}{said}")
    return StatusReason("crashed", f"exited{when}{said}") if when else None


def _without_value(
    value: MetricValue | None, observation: Observation, order: Order
) -> StatusReason:
    """The status of a run without a metric."""
    if value is None and observation.ended_by == "budget":
        reason = f"handed over no snapshot that counts within {order.budget_s:g} s"
        return StatusReason("budget_exceeded", reason)
    if value is None:
        return StatusReason("invalid", "never handed over a snapshot that counts")
    if value.reason.startswith(DIVERGED):
        reason = value.reason.removeprefix(DIVERGED)
        return StatusReason("diverged", f"snapshot {value.snapshot}: {reason}")
    return StatusReason("invalid", f"snapshot {value.snapshot}: {value.reason}")


def decide(
    order: Order,
    observation: Observation,
    exit_: Exit | None,
    evaluation: Evaluation | None,
    last_words: str,
) -> StatusReason:
    """Status and reason of a run, without regard to its measurement, which `degrade` adds.

    If quality at the budget is ranked, there is no target to miss: any metric is a result.
    """
    ended = _ending(observation, exit_, last_words)
    if ended is not None:
        return ended
    value = scored_value(evaluation, observation, order)
    if value is None or value.value is None:
        return _without_value(value, observation, order)
    workload, budget = order.entry.workload, f"{order.budget_s:g} s"
    metric = workload.metric
    figure = f"{metric.name} {value.value:.{metric.digits}f} at snapshot {value.snapshot}"
    if order.ruleset.run.mode == "quality_at_budget":
        return StatusReason("ok", f"{figure}, within {budget}")
    sign = ">=" if metric.better == "higher" else "<="
    figures = f"{figure}; target {sign} {workload.target.value:g}"
    if passes(value.value, workload):
        return StatusReason("ok", f"reached the target: {figures}")
    if observation.ended_by == "budget":
        return StatusReason("budget_exceeded", f"killed at {budget} before the target: {figures}")
    return StatusReason("target_missed", f"missed the target: {figures}")


def degrade(verdict: StatusReason, findings: list[Finding]) -> StatusReason:
    """The status of a run, which is `degraded` if its measurement failed a rule."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed and verdict.status in ("ok", "target_missed"):
        return StatusReason("degraded", f"{failed[0].message} ({verdict.reason})")
    return verdict
