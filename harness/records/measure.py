"""Records of a measurement: domains, idle power, and the report of the sampler."""

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
    """The least reliable of several methods; None if there are none."""
    return min(methods, key=METHODS_WEAKEST_FIRST.index, default=None)


class IdlePower(Record):
    """Mean power of one domain while nothing ran, before and after a run, in watts."""

    domain: str
    before_w: float | None = None
    """None if it was not measured."""
    after_w: float | None = None
    """None if it was not measured."""
    u_w: float | None = None
    """Greater of the two uncertainties, k = 2, without the gain error, which both share."""


class SamplerReport(Record):
    """What the sampler did and what it used, as measured by itself."""

    period_s: float
    """Requested time between two readings."""
    reads_count: int
    """Number of times that the meters were read."""
    readings_count: int
    """Number of rows in the trace."""
    cpu_s: float
    """CPU seconds of the sampler process and its children, user and system."""
    import_cpu_s: float
    """CPU seconds of these that were used before the first reading."""
    duration_s: float
    """Time between first and last reading."""
    peak_rss_bytes: int
    """Peak resident memory of the sampler process."""
    jitter_p50_s: float | None = None
    """Median delay against the time grid."""
    jitter_p99_s: float | None = None
    """99th percentile of the delay."""
    gap_max_s: float | None = None
    """Largest time between two successive readings."""
    realtime: bool = False
    """Whether the sampler ran with real-time priority."""
    core: int | None = None
    """Core that was reserved for it; None if there was none."""
    helpers_cpu_s: dict[str, float] = {}
    """CPU seconds of the helper processes of meters, such as that of codecarbon."""
