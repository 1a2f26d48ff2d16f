"""Check that the meters cover all hardware that a submission can use."""

import re
from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence

_CARD = re.compile(r"(gpu-(?:[a-z]+-)?\d+).*")
_PART = re.compile(r"cpu-(psys|core|uncore)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-boundary`: no meter covers the processor or a visible device.

    Complete are a wall or node meter, or meters of the processor and of every device. The domain
    of the platform (psys) or of a part, such as the cores, is no meter of the processor, and all
    readings of one card are of one device.
    """
    domains = evidence.run.domains
    if not domains or not evidence.ruleset.measure.whole_boundary:
        return
    kinds = [domain.kind for domain in domains]
    if "wall" in kinds or "node" in kinds:
        return
    devices = {_CARD.sub(r"\1", domain.name) for domain in domains if domain.kind == "gpu"}
    visible = len(evidence.machine.gpus)
    whole = any(domain.kind == "cpu" and not _PART.match(domain.name) for domain in domains)
    missing = [] if whole else ["the processor"]
    if len(devices) < visible:
        missing.append(f"{visible - len(devices)} of {visible} devices")
    if missing:
        yield Finding(
            rule="energy-boundary",
            level="fail",
            message=f"no meter covers {' and '.join(missing)}",
            advice="read a wall or node meter, or those of the processor and of every device",
        )


CHECK = check
