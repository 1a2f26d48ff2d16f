"""Records of what was measured, by which meter, and what the sampler itself cost."""

from collections.abc import Iterable
from typing import Literal

from harness.records.base import Record

DomainKind = Literal["gpu", "cpu", "dram", "node", "wall"]
Method = Literal["counter", "sampled", "modelled", "declared"]

METHODS_WEAKEST_FIRST: tuple[Method, ...] = ("modelled", "declared", "sampled", "counter")
"""The only order of the methods, from the least reliable to the most reliable."""


def weakest_method(methods: Iterable[Method]) -> Method | None:
    """The least reliable of several methods; None where there is none."""
    return min(methods, key=METHODS_WEAKEST_FIRST.index, default=None)


class Domain(Record):
    """One source of joules: a GPU, a CPU package, a memory rail, a whole node, a wall socket."""

    name: str
    """Unique in the run, as `gpu-0` or `cpu-package-0`; the `domain` column of the trace."""
    kind: DomainKind
    """What the figure covers."""
    method: Method
    """`counter` (energy counter), `sampled` (power readings), `modelled` (an estimate from load
    or a table), `declared` (a figure that somebody stated)."""
    meter: str
    """Plug-in that read it."""
    source: str
    """API, file or device that the meter read, for the provenance line."""
    parents: tuple[str, ...] = ()
    """Domains whose joules already contain these; a total never adds a domain and its parent."""
    simulated: bool = False
    """True for fake and replayed meters: such joules never count in a prize."""
    wrap_j: float | None = None
    """Joules after which the counter starts again at zero; None where it does not wrap."""
    resolution_j: float | None = None
    """Step of the counter, if known."""
    resolution_w: float | None = None
    """Step of the power reading, if known."""
    update_period_s: float | None = None
    """Measured time between two changes of the sensor's value."""
    read_period_s: float | None = None
    """Asked-for time between two readings, without those asked for at marks."""
    averaging_window_s: float | None = None
    """Span that one power reading averages over; shorter than the period on A100 and H100."""
    averaging_window_low_s: float | None = None
    """Least that this span may be where it was not measured; the hard bound uses it."""
    power_low_w: float | None = None
    """Least power that is physically possible; the hard bound uses it."""
    power_high_w: float | None = None
    """Greatest power that is physically possible (limit or rating); the hard bound uses it."""
    gain_error_ratio: float | None = None
    """Relative gain error of the meter's class at k = 2, as 0.05 for 5 %."""


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
