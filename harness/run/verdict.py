"""What became of a run: one status and one sentence, from what was seen and judged."""

from typing import NamedTuple

from harness.plugins import Exit
from harness.records import Evaluation, Finding, MetricValue, Status
from harness.run.evaluate import DIVERGED
from harness.run.judge import passes
from harness.run.order import Order
from harness.run.supervisor import Observation


class StatusReason(NamedTuple):
    """Status and reason."""

    status: Status
    reason: str


def counted(
    evaluation: Evaluation | None, observation: Observation, order: Order
) -> MetricValue | None:
    """The snapshot that counts: the last accepted one, or the first accepted one that passes.

    Where none passes, `first_passing` gives the last.
    """
    accepted = {item.record.index for item in observation.held if item.record.accepted}
    values = [
        value for value in (evaluation.values if evaluation else ()) if value.snapshot in accepted
    ]
    if order.ruleset.run.snapshot_rule == "first_passing":
        for value in values:
            if passes(value.value, order.workload):
                return value
    return values[-1] if values else None


def _ending(observation: Observation, exit_: Exit | None, last_words: str) -> StatusReason | None:
    """A status that follows from how it ended, whatever it handed over before."""
    said = f"; its last line: {last_words}" if last_words else ""
    simple = {
        "interrupt": StatusReason("aborted", "stopped by the operator before the run was over"),
        "violation": StatusReason("invalid", observation.reason),
        "fault": StatusReason("aborted", observation.reason or "the harness could not go on"),
        "start_cap": StatusReason("killed", f"was not ready within the ruleset's cap{said}"),
        "setup_cap": StatusReason("killed", f"setup() did not end within the ruleset's cap{said}"),
    }
    if observation.ended_by in simple:
        return simple[observation.ended_by]
    if exit_ is not None and exit_.oom:
        return StatusReason("oom", "the kernel ended it at its memory limit")
    if observation.ended_by == "exit" and exit_ is not None:
        return _own_exit(observation, exit_, said)
    return None


def _own_exit(observation: Observation, exit_: Exit, said: str) -> StatusReason | None:
    when = "" if observation.gun_ns is not None else " before the gun"
    if exit_.code and exit_.signal is None:
        return StatusReason("crashed", f"exited with code {exit_.code}{when}{said}")
    if exit_.code != 0:
        how = f"signal {exit_.signal}" if exit_.signal else "an unknown signal"
        alike = f", or exited with {exit_.code}, which the launcher reports alike"
        more = alike if exit_.code else ""
        return StatusReason(
            "killed", f"was ended by {how}, which the harness did not send{more}{said}"
        )
    if observation.gun_ns is None:
        return StatusReason("crashed", f"exited before the gun{said}")
    return None


def _without_value(
    value: MetricValue | None, observation: Observation, order: Order
) -> StatusReason:
    """No metric: was nothing handed over, or was it worth nothing?"""
    if value is None and observation.ended_by == "budget":
        return StatusReason(
            "budget_exceeded", f"handed over no snapshot that counts within {order.budget_s:g} s"
        )
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
    """Status and reason of a run; measurement has its say afterwards, in `degrade`.

    Where quality at the budget ranks, there is no target to miss: any metric is a result.
    """
    ended = _ending(observation, exit_, last_words)
    if ended is not None:
        return ended
    value = counted(evaluation, observation, order)
    if value is None or value.value is None:
        return _without_value(value, observation, order)
    metric = order.workload.metric
    if order.ruleset.run.mode == "quality_at_budget":
        told = f"{metric.name} {value.value:.{metric.digits}f} at snapshot {value.snapshot}"
        return StatusReason("ok", f"{told}, within {order.budget_s:g} s")
    sign = ">=" if metric.better == "higher" else "<="
    figures = (
        f"{metric.name} {value.value:.{metric.digits}f} at snapshot {value.snapshot}; "
        f"target {sign} {order.workload.target.value:g}"
    )
    if passes(value.value, order.workload):
        return StatusReason("ok", f"reached the target: {figures}")
    if observation.ended_by == "budget":
        return StatusReason(
            "budget_exceeded", f"killed at {order.budget_s:g} s short of it: {figures}"
        )
    return StatusReason("target_missed", f"missed the target: {figures}")


def degrade(verdict: StatusReason, findings: list[Finding]) -> StatusReason:
    """A run whose measurement failed a rule is degraded, whatever its training was worth."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed and verdict.status in ("ok", "target_missed"):
        return StatusReason("degraded", f"{failed[0].message} ({verdict.reason})")
    return verdict
