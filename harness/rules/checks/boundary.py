"""Whether the meters see everything that a submission can put to work."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-boundary`: joules that leave out a processor or a visible device.

    Whole are a wall or node meter, or meters of the processor and of every device.
    """
    domains = evidence.run.domains
    if not domains or not evidence.ruleset.measure.whole_boundary:
        return
    kinds = [domain.kind for domain in domains]
    if "wall" in kinds or "node" in kinds:
        return
    devices = {domain.name for domain in domains if domain.kind == "gpu"}
    visible = len(evidence.machine.gpus)
    lacking = ["the processor"] if "cpu" not in kinds else []
    if len(devices) < visible:
        lacking.append(f"{visible - len(devices)} of {visible} devices")
    if lacking:
        yield Finding(
            rule="energy-boundary",
            level="fail",
            message=f"no meter covers {' and '.join(lacking)}",
            advice="read a wall or node meter, or the processor's and every device's",
        )


CHECK = check
