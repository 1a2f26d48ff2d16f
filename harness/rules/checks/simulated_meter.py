"""Check that the joules come from a real meter."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence

KERNEL_METERS = ("rapl", "hwmon", "cray")
"""Meters that read files of the kernel; an option or a variable can name another folder."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-simulated`: joules of a fake or replayed meter, or of files outside `/sys`."""
    run, ruleset = evidence.run, evidence.ruleset
    names = [
        domain.name
        for domain in run.domains
        if domain.simulated
        or (domain.meter in KERNEL_METERS and not domain.source.startswith("/sys/"))
    ]
    if names:
        yield Finding(
            rule="energy-simulated",
            level="info" if ruleset.score.simulated else "fail",
            message=f"joules of {', '.join(names)} are simulated",
            advice="run with a real meter; `joulemark doctor` lists those of this machine",
        )


CHECK = check
