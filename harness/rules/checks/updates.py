"""Check that the sensor updated its value often enough during the score window."""

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-updates-few`: too few updates, or a sensor with unknown update period."""
    run, least = evidence.run, evidence.ruleset.measure.updates_count_min
    gun_ns = run.window.gun_ns
    stamps = [snapshot.stamp_ns for snapshot in run.snapshots if snapshot.accepted]
    if not (least and stamps and run.domains) or gun_ns is None:
        return
    window_s = (max(stamps) - gun_ns) / NS_PER_S
    for domain in run.domains:
        period_s = domain.update_period_s
        if period_s is None:
            message = f"the update period of {domain.name} is unknown; {least} updates are required"
        elif window_s / period_s < least:
            message = (
                f"{domain.name} updated {window_s / period_s:.0f} times in {window_s:.3g} s; "
                f"{least} updates are required"
            )
        else:
            continue
        advice = "train for longer, or read a meter that updates more often"
        yield Finding(rule="energy-updates-few", level="fail", message=message, advice=advice)


CHECK = check
