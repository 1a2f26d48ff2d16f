"""Check that the memory limit was kept."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`memory-unlimited`: the limit could not be set; `memory-exceeded`: it was exceeded."""
    run, limit = evidence.run, evidence.ruleset.run.memory_bytes_max
    if limit is None:
        return
    if "memory_bytes" in run.isolation.unmet:
        message = f"the limit of {limit} bytes of memory could not be set here"
        advice = "run where the launcher can make a control group (see `joulemark doctor`)"
        yield Finding(rule="memory-unlimited", level="fail", message=message, advice=advice)
    peak = run.usage.peak_rss_bytes if run.usage else None
    if peak is not None and peak > limit:
        message = f"{peak} bytes were resident; {limit} are allowed"
        yield Finding(rule="memory-exceeded", level="fail", message=message)


CHECK = check
