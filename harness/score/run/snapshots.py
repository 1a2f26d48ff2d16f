"""Which snapshot of a run is scored under a ruleset."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.clock import NS_PER_S
from harness.records import Evaluation, Ruleset, Run, Snapshot
from harness.score.stats.intervals import passes

SPACING_TOLERANCE = 0.9
"""Share of the spacing that must have passed: the submission measures its own after sending."""

STAMP_STEP_S = 0.01
"""Resolution of a stamp: receipt and kernel may differ by that much before a check objects."""


class ScoredSnapshot(NamedTuple):
    """What the rule for snapshots selects in a run."""

    snapshot: Snapshot | None
    """None where no snapshot counts."""
    before_ns: int
    """Stamp of the counting snapshot before it, or the start signal."""
    metric: float | None
    passed: bool


def _budget_ratio(run: Run, ruleset: Ruleset) -> float:
    """Budget in multiples of the workload's own; runs that tune themselves may get more."""
    tunes_itself = run.tuning is not None and run.tuning.mode == "self"
    return ruleset.run.budget_ratio * (
        ruleset.run.self_tuning_budget_ratio if tunes_itself else 1.0
    )


def _budget_ns(run: Run, in_force: Ruleset, ruleset: Ruleset) -> float:
    """Time after the start signal in which snapshots count, in nanoseconds.

    `run.json` states the budget that was enforced; another ruleset may ask for another multiple.
    """
    if ruleset.run.budget_s is not None:
        return ruleset.run.budget_s * NS_PER_S
    # A budget in seconds replaced the workload's own, which is not recorded: that budget is kept.
    fixed = in_force.run.budget_s is not None
    ratio = 1.0 if fixed else _budget_ratio(run, ruleset) / _budget_ratio(run, in_force)
    return run.workload.budget_s * NS_PER_S * ratio


def _spaced(snapshots: Sequence[Snapshot], spacing_ns: float, most: int) -> Iterator[Snapshot]:
    """At most so many snapshots at least that far apart, and the last of all."""
    last_ns = -math.inf
    for snapshot in snapshots:
        far = most > 0 and snapshot.stamp_ns - last_ns >= spacing_ns
        if far or snapshot is snapshots[-1]:
            yield snapshot
            last_ns = snapshot.stamp_ns
            most -= 1


def counting_snapshots(run: Run, in_force: Ruleset, ruleset: Ruleset) -> list[Snapshot]:
    """The snapshots that count under a ruleset, in order.

    Where the ruleset is the one that was enforced, they are those that the conductor accepted.
    Under another one they are thinned to the spacing and number allowed. Snapshots that were
    refused were never evaluated and cannot count.
    """
    gun_ns = run.window.gun_ns
    if gun_ns is None:
        return []
    budget_ns = _budget_ns(run, in_force, ruleset)

    def counts(snapshot: Snapshot) -> bool:
        """Whether it was accepted, in time, and is small enough."""
        # The kernel's stamp tells when it was sent, the other one when it was received.
        sent_ns = snapshot.stamp_ns if snapshot.kernel_ns is None else snapshot.kernel_ns
        in_time = gun_ns <= sent_ns <= gun_ns + budget_ns
        return snapshot.accepted and in_time and (
            snapshot.size_bytes <= ruleset.run.snapshot_bytes_max
        )  # fmt: skip

    accepted = sorted(filter(counts, run.snapshots), key=lambda snapshot: snapshot.index)
    keys = ("snapshot_rule", "snapshots_max", "budget_ratio", "budget_s")
    same = all(getattr(in_force.run, key) == getattr(ruleset.run, key) for key in keys)
    if same or ruleset.run.snapshot_rule == "final":
        return accepted
    most = ruleset.run.snapshots_max
    return list(_spaced(accepted, SPACING_TOLERANCE * budget_ns / most, most))


def scored_snapshot(
    run: Run, evaluation: Evaluation | None, snapshots: Sequence[Snapshot], rule: str
) -> ScoredSnapshot:
    """The snapshot that is scored: the last one under `final`, else the first that passes."""
    metrics = {row.snapshot: row.value for row in evaluation.values} if evaluation else {}
    last = ScoredSnapshot(None, run.window.gun_ns or 0, None, passed=False)
    nothing, before_ns = last, last.before_ns
    for snapshot in snapshots:
        metric = metrics.get(snapshot.index)
        passed = passes(metric, run.workload.target, run.workload.better)
        last = ScoredSnapshot(snapshot, before_ns, metric, passed)
        if passed and rule == "first_passing":
            return last
        before_ns = snapshot.stamp_ns
    return last if rule == "final" else nothing


def time_step_s(snapshots: Sequence[Snapshot], scored: Snapshot | None, rule: str) -> float | None:
    """Resolution of the cost in seconds.

    Where the first passing snapshot is scored, another seed may pass one snapshot earlier or later,
    so that it is the spacing of the snapshots; otherwise it is that of the stamps.
    """
    if scored is None:
        return None
    place = list(snapshots).index(scored)
    near = snapshots[max(place - 1, 0) : max(place, 1) + 1]
    spacing_s = (near[-1].stamp_ns - near[0].stamp_ns) / NS_PER_S
    return max(spacing_s, STAMP_STEP_S) if rule == "first_passing" else STAMP_STEP_S
