"""A short stretch of time, measured by the real sampler process."""

from collections.abc import Sequence
from pathlib import Path

from harness.clock import SystemClock, now_ns
from harness.measure.audit import Circumstances, audit
from harness.measure.choice import MeterChoice
from harness.measure.energy import Energy, EnergyReader
from harness.measure.metering import Metering
from harness.measure.trace import Trace, read_trace
from harness.records import Domain, Finding, SamplerReport


def energy(trace: Trace, domain: Domain, start_ns: int, end_ns: int) -> Energy:
    """Energy of one domain between two times."""
    return EnergyReader(trace, [domain]).energy(domain.name, start_ns, end_ns)


class Measured:
    """What the sampler left, and what is made of it."""

    def __init__(
        self, folder: Path, choice: Sequence[MeterChoice], duration_s: float = 2.0
    ) -> None:
        """Sample for so long, with a mark at each edge."""
        origin_ns = now_ns()
        metering = Metering.start(choice, folder, origin_ns, 0.1)
        metering.mark()
        self.begin_ns = now_ns()
        self.end_ns = self.begin_ns + round(duration_s * 1e9)
        SystemClock().sleep_until(self.end_ns)
        metering.mark()
        SystemClock().sleep_until(self.end_ns + 50_000_000)
        report = metering.stop()
        assert report is not None
        self.report: SamplerReport = report
        self.faults = metering.faults
        self.failed = metering.failed
        self.domains = {domain.name: domain for domain in metering.domains}
        self.trace = read_trace(folder / "trace.csv.gz") if self.domains else None
        self.window = (self.begin_ns - origin_ns, self.end_ns - origin_ns)

    def energy(self, name: str) -> Energy:
        """Joules of a domain in the window."""
        assert self.trace is not None
        return energy(self.trace, self.domains[name], *self.window)

    def findings(self) -> list[Finding]:
        """All of them, with the faults that the sampler told."""
        assert self.trace is not None
        circumstances = Circumstances(faults=self.faults)
        return audit(self.trace, list(self.domains.values()), self.window, circumstances)

    def rules(self) -> set[str]:
        """Rules of what the readings alone show."""
        assert self.trace is not None
        result = audit(self.trace, list(self.domains.values()), self.window)
        return {item.rule for item in result}
