"""What became of a run: one status and one sentence, from what was seen and judged."""

from typing import NamedTuple

from harness.plugins import Exit
from harness.records import Evaluation, Finding, MetricValue, Status
from harness.run.evaluate import DIVERGED
from harness.run.judge import passes
from harness.run.order import Order
from harness.run.watch import Story


class Verdict(NamedTuple):
    """Status and reason."""

    status: Status
    reason: str


def counted(evaluation: Evaluation | None, story: Story, order: Order) -> MetricValue | None:
    """The snapshot that counts: the last accepted one, or the first accepted one that passes.

    Where none passes, `first_passing` gives the last.
    """
    accepted = {item.record.index for item in story.held if item.record.accepted}
    values = [
        value for value in (evaluation.values if evaluation else ()) if value.snapshot in accepted
    ]
    if order.ruleset.run.snapshot_rule == "first_passing":
        for value in values:
            if passes(value.value, order.workload):
                return value
    return values[-1] if values else None


def _ending(story: Story, exit_: Exit | None, last_words: str) -> Verdict | None:
    """A status that follows from how it ended, whatever it handed over before."""
    said = f"; its last line: {last_words}" if last_words else ""
    simple = {
        "interrupt": Verdict("aborted", "stopped by the operator before the run was over"),
        "violation": Verdict("invalid", story.reason),
        "fault": Verdict("aborted", story.reason or "the harness could not go on"),
        "start_cap": Verdict("killed", f"was not ready within the ruleset's cap{said}"),
        "setup_cap": Verdict("killed", f"setup() did not end within the ruleset's cap{said}"),
    }
    if story.ended_by in simple:
        return simple[story.ended_by]
    if exit_ is not None and exit_.oom:
        return Verdict("oom", "the kernel ended it at its memory limit")
    if story.ended_by == "exit" and exit_ is not None:
        return _own_exit(story, exit_, said)
    return None


def _own_exit(story: Story, exit_: Exit, said: str) -> Verdict | None:
    when = "" if story.gun_ns is not None else " before the gun"
    if exit_.code and exit_.signal is None:
        return Verdict("crashed", f"exited with code {exit_.code}{when}{said}")
    if exit_.code != 0:
        how = f"signal {exit_.signal}" if exit_.signal else "an unknown signal"
        alike = f", or exited with {exit_.code}, which the launcher reports alike"
        more = alike if exit_.code else ""
        return Verdict("killed", f"was ended by {how}, which the harness did not send{more}{said}")
    if story.gun_ns is None:
        return Verdict("crashed", f"exited before the gun{said}")
    return None


def _without_value(value: MetricValue | None, story: Story, order: Order) -> Verdict:
    """No metric: was nothing handed over, or was it worth nothing?"""
    if value is None and story.ended_by == "budget":
        return Verdict(
            "budget_exceeded", f"handed over no snapshot that counts within {order.budget_s:g} s"
        )
    if value is None:
        return Verdict("invalid", "never handed over a snapshot that counts")
    if value.reason.startswith(DIVERGED):
        reason = value.reason.removeprefix(DIVERGED)
        return Verdict("diverged", f"snapshot {value.snapshot}: {reason}")
    return Verdict("invalid", f"snapshot {value.snapshot}: {value.reason}")


def decide(
    order: Order,
    story: Story,
    exit_: Exit | None,
    evaluation: Evaluation | None,
    last_words: str,
) -> Verdict:
    """Status and reason of a run; measurement has its say afterwards, in `degrade`.

    Where quality at the budget ranks, there is no target to miss: any metric is a result.
    """
    ended = _ending(story, exit_, last_words)
    if ended is not None:
        return ended
    value = counted(evaluation, story, order)
    if value is None or value.value is None:
        return _without_value(value, story, order)
    metric = order.workload.metric
    if order.ruleset.run.mode == "quality_at_budget":
        told = f"{metric.name} {value.value:.{metric.digits}f} at snapshot {value.snapshot}"
        return Verdict("ok", f"{told}, within {order.budget_s:g} s")
    sign = ">=" if metric.better == "higher" else "<="
    figures = (
        f"{metric.name} {value.value:.{metric.digits}f} at snapshot {value.snapshot}; "
        f"target {sign} {order.workload.target.value:g}"
    )
    if passes(value.value, order.workload):
        return Verdict("ok", f"reached the target: {figures}")
    if story.ended_by == "budget":
        return Verdict("budget_exceeded", f"killed at {order.budget_s:g} s short of it: {figures}")
    return Verdict("target_missed", f"missed the target: {figures}")


def degrade(verdict: Verdict, findings: list[Finding]) -> Verdict:
    """A run whose measurement failed a rule is degraded, whatever its training was worth."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed and verdict.status in ("ok", "target_missed"):
        return Verdict("degraded", f"{failed[0].message} ({verdict.reason})")
    return verdict
