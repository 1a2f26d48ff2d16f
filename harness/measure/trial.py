"""Tries meters on the idle machine: whether they answer, how often, with how much noise."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.measure import counter
from harness.measure.choice import MeterChoice
from harness.measure.metering import TRACE, Metering
from harness.measure.series import Series, readings_of, uses_counter
from harness.measure.trace import read_trace
from harness.records import Domain

_PERIOD_S = 0.05
_SAMPLES_MIN = 3
"""Fewer values have no noise and no period."""


@dataclass(frozen=True)
class DomainTrial:
    """What the readings of one domain showed; None where there were too few."""

    domain: str
    meter: str
    method: str
    mean_w: float | None
    noise_w: float | None
    """Standard deviation of the power from one reading to the next."""
    update_period_s: float | None
    """Measured time between two changes, no finer than the period of the trial."""
    stated_period_s: float | None
    """The update period that the meter declares."""
    readings_count: int


@dataclass(frozen=True)
class TrialResult:
    """All domains of the meters that opened, and why the others did not."""

    domains: tuple[DomainTrial, ...]
    failed: dict[str, str]
    faults: tuple[str, ...]


def try_meters(choice: Sequence[MeterChoice], duration_s: float = 3.0) -> TrialResult:
    """Run the real sampler for a short time.

    Raises:
        harness.measure.metering.MeteringError: the sampler did not start or ended early.
    """
    with tempfile.TemporaryDirectory(prefix="joulemark-trial-") as folder:
        metering = Metering.start(choice, Path(folder), now_ns(), _PERIOD_S)
        SystemClock().sleep_until(now_ns() + int(duration_s * NS_PER_S))
        metering.stop()
        path = Path(folder) / TRACE
        columns = read_trace(path).columns if path.is_file() else {}
    domains = tuple(
        evaluate_trial(domain, columns[domain.name])
        for domain in metering.domains
        if domain.name in columns
    )
    faults = tuple(f"{fault['meter']}: {fault['message']}" for fault in metering.faults)
    return TrialResult(domains, dict(metering.failed), faults)


def evaluate_trial(domain: Domain, series: Series) -> DomainTrial:
    """Mean power, noise and update period of one domain's readings."""
    counts, usable = uses_counter(series, domain), readings_of(series, domain)
    values = usable.energy_j if counts else usable.power_w
    watts: list[float] = usable.power_w.tolist()
    mean_w = statistics.fmean(watts) if watts else None
    if counts:
        mean_w, watts = _counter_power(usable, domain)
    changed_s = usable.t_s[1:][np.diff(values) != 0]
    paced = len(changed_s) >= _SAMPLES_MIN
    return DomainTrial(
        domain=domain.name,
        meter=domain.meter,
        method=domain.method,
        mean_w=mean_w,
        noise_w=statistics.stdev(watts) if len(watts) >= _SAMPLES_MIN else None,
        update_period_s=float(np.median(np.diff(changed_s))) if paced else None,
        stated_period_s=domain.update_period_s,
        readings_count=len(usable.t_ns),
    )


def _counter_power(series: Series, domain: Domain) -> tuple[float | None, list[float]]:
    """Mean power of a counter over all of its valid steps, and the power of each longer one.

    Between two readings a few milliseconds apart a counter shows one update or none, which is not
    a power: such steps count in the mean only.
    """
    if len(series.t_ns) < 2:  # noqa: PLR2004 - a step needs two readings
        return None, []
    steps, lengths_s = counter.unfold(series, domain), np.diff(series.t_s)
    valid_s = float(lengths_s[steps.valid].sum())
    mean_w = float(steps.gained_j[steps.valid].sum()) / valid_s if valid_s > 0 else None
    long = steps.valid & (lengths_s >= float(np.median(lengths_s)) / 2)
    return mean_w, (steps.gained_j[long] / lengths_s[long]).tolist()
