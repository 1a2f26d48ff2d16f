"""Check that no snapshot arrived after the budget."""

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`snapshot-after-budget`: snapshots that are not scored because they arrived too late."""
    run = evidence.run
    if run.window.gun_ns is None:
        return
    last_ns = run.window.gun_ns + run.workload.budget_s * NS_PER_S
    late = [
        snapshot.index
        for snapshot in run.snapshots
        if (snapshot.kernel_ns or snapshot.stamp_ns) > last_ns
    ]
    if late:
        numbers = ", ".join(map(str, late))
        message = f"snapshots {numbers} arrived after the budget of {run.workload.budget_s:g} s"
        yield Finding(rule="snapshot-after-budget", level="warn", message=message)


CHECK = check
