"""Check that the conductor's stamps agree with those of the kernel."""

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.records import Finding
from harness.rules.evidence import Evidence

DIFFERENCE_MAX_S = 0.01
"""Largest accepted difference; on a loaded machine with two cores 6 ms were measured."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """`stamp-late`: a snapshot was received much later, or earlier, than the kernel saw it sent."""
    run = evidence.run
    differences = [
        (abs(snapshot.stamp_ns - snapshot.kernel_ns) / NS_PER_S, snapshot.index)
        for snapshot in run.snapshots
        if snapshot.kernel_ns is not None
    ]
    largest_s, index = max(differences, default=(0.0, 0))
    if largest_s > DIFFERENCE_MAX_S:
        difference = f"{largest_s * 1000:.0f} ms"
        message = f"the stamp of snapshot {index} differs from the kernel's by {difference}"
        advice = "leave a core to the harness; the later stamp is scored"
        yield Finding(rule="stamp-late", level="warn", message=message, advice=advice)


CHECK = check
