"""Records of what was measured, by which meter, and what the sampler itself cost."""

from collections.abc import Iterable

from harness.plugins import Domain, DomainKind, Method
from harness.records.base import Record

__all__ = [
    "METHODS_WEAKEST_FIRST",
    "Domain",
    "DomainKind",
    "IdlePower",
    "Method",
    "SamplerReport",
    "weakest_method",
]

METHODS_WEAKEST_FIRST: tuple[Method, ...] = ("modelled", "declared", "sampled", "counter")
"""The only order of the methods, from the least reliable to the most reliable."""


def weakest_method(methods: Iterable[Method]) -> Method | None:
    """The least reliable of several methods; None where there is none."""
    return min(methods, key=METHODS_WEAKEST_FIRST.index, default=None)


class IdlePower(Record):
    """Mean power of one domain while nothing ran, before and after a run, in watts."""

    domain: str
    before_w: float | None = None
    """None where it was not measured."""
    after_w: float | None = None
    """None where it was not measured."""
    u_w: float | None = None
    """Greater of the two uncertainties, k = 2, without the gain error, which both share."""


class SamplerReport(Record):
    """What the sampler did and what it cost, by its own account."""

    period_s: float
    """Asked-for time between two readings."""
    reads_count: int
    """Sampling instants."""
    readings_count: int
    """Rows written to the trace."""
    cpu_s: float
    """CPU seconds of the sampler process, user and system, children included."""
    import_cpu_s: float
    """Of these, before the first reading."""
    duration_s: float
    """Time between first and last reading."""
    peak_rss_bytes: int
    """Peak resident memory of the sampler process."""
    jitter_p50_s: float | None = None
    """Median lateness against the absolute grid."""
    jitter_p99_s: float | None = None
    """99th percentile of the lateness."""
    gap_max_s: float | None = None
    """Largest time between two successive readings."""
    realtime: bool = False
    """True where the sampler ran with real-time priority."""
    core: int | None = None
    """Core that was reserved for it, if any."""
    helpers_cpu_s: dict[str, float] = {}
    """CPU seconds of the meters' helper processes (codecarbon runs in one of its own)."""
