"""Whether the conductor's stamps agree with the kernel's."""

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.records import Finding
from harness.rules.evidence import Evidence

LATE_S = 0.01
"""Receipt and kernel differ by up to 6 ms on a loaded two-core machine."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """`stamp-late`: a snapshot was received much later, or earlier, than the kernel saw it sent."""
    run = evidence.run
    apart = [
        (abs(snapshot.stamp_ns - snapshot.kernel_ns) / NS_PER_S, snapshot.index)
        for snapshot in run.snapshots
        if snapshot.kernel_ns is not None
    ]
    worst_s, index = max(apart, default=(0.0, 0))
    if worst_s > LATE_S:
        message = f"snapshot {index} was stamped {worst_s * 1000:.0f} ms apart from the kernel"
        advice = "leave a core to the harness; the later stamp is scored"
        yield Finding(rule="stamp-late", level="warn", message=message, advice=advice)


CHECK = check
