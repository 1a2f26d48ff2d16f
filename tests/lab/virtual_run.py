"""A run on a virtual clock: opening, sampling, trace, audit and score of made sensors.

Everything but the time and the sandbox is the real thing: the check of dead sensors at opening, the
sessions that write the trace, the audit of a bundle, the run's energy and whether it may win.
"""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.measure import audit, liveness, opening
from harness.measure.metering import TRACE, Metering
from harness.measure.sampler import TRACE_HEADER
from harness.measure.session import MeterSession
from harness.plugins import Decoded, Domain, Reader, Reading
from harness.records import Finding, RunEnergy, RunScore, SamplerReport
from harness.rules.load import load_ruleset
from harness.run.verdict import StatusReason, degrade
from harness.score.energy_eligibility import assess_energy
from harness.score.run.energy import energy_findings, read_joules, run_energy

START_S = 2.0
"""From the opening of the meters to the start signal."""

PERIOD_S = 0.1
COUNTER_WAIT_S, POWER_WAIT_S = 2.7, 1.2
"""As the sampler reads on after the end."""

Shown = tuple[float | None, float | None]
"""Energy and power as a sensor shows them; it gives an error where both are None."""


@dataclass(frozen=True)
class Sensor:
    """A domain, and what its sensor shows at a time in seconds after the start signal."""

    domain: Domain
    shown: Callable[[float], Shown]


class VirtualMeter(Reader):
    """The sensors of one meter."""

    def __init__(self, sensors: Sequence[Sensor], clock: "VirtualTime") -> None:
        self._sensors = sensors
        self._clock = clock
        self.domains = tuple(sensor.domain for sensor in sensors)

    def poll(self) -> tuple[int, list[Shown]]:
        return self._clock.t_ns, [sensor.shown(self._clock.t_s) for sensor in self._sensors]

    def decode(self, answer: tuple[int, list[Shown]]) -> Decoded:
        t_ns, values = answer
        readings, errors = [], {}
        for domain, (energy_j, power_w) in zip(self.domains, values, strict=True):
            if energy_j is None and power_w is None:
                errors[domain.name] = "Not Supported"
            else:
                readings.append(Reading(t_ns, domain.name, energy_j, power_w, 1000))
        return readings, errors


@dataclass
class VirtualTime:
    """A clock that moves where the code under test waits or computes."""

    t_ns: int = -round(START_S * NS_PER_S)

    @property
    def t_s(self) -> float:
        return self.t_ns / NS_PER_S

    def now_ns(self) -> int:
        return self.t_ns

    def wait(self, duration_s: float) -> None:
        self.t_ns += round(duration_s * NS_PER_S)


@dataclass
class Outcome:
    """What a run shows: figures, findings, status and whether its joules may win."""

    energy: RunEnergy
    bounds: Mapping[str, tuple[float, float] | None]
    findings: list[Finding]
    status: str
    eligible: bool
    failed: Mapping[str, str] = field(default_factory=dict)

    def rules(self, *levels: str) -> set[str]:
        return {item.rule for item in self.findings if not levels or item.level in levels}


class VirtualRun:
    """Plays runs; one for each test."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch

    def play(
        self, meters: Sequence[Sequence[Sensor]], length_s: float, memory_gib: float = 24.0
    ) -> Outcome:
        """Run once.

        Args:
            meters: the sensors of each meter.
            length_s: length of the run.
            memory_gib: memory of the machine.
        """
        clock = VirtualTime()
        self._patch.setattr(liveness, "now_ns", clock.now_ns)
        self._patch.setattr(liveness, "_load", clock.wait)
        self._patch.setattr(liveness, "time", SimpleNamespace(sleep=clock.wait))
        self._patch.setattr(audit, "memory_bytes", lambda: int(memory_gib * 2**30))
        opened = [
            opening._without_dead(f"meter-{index}", VirtualMeter(sensors, clock))
            for index, sensors in enumerate(meters)
        ]
        origin_ns = -round(100 * NS_PER_S)
        sessions, failed = opening.start_sessions(opened)
        for session in sessions:
            session.origin_ns = origin_ns
        metering = Metering.start([], self._folder, 0)
        metering._period_s = PERIOD_S
        live = [asdict(spec) for session in sessions for spec in session.reader.domains]
        dead = opening.dead_domains(opened)
        metering._handle({"type": "ready", "domains": live, "failed": failed, "dead": dead})
        _sample(sessions, clock, length_s, self._folder / TRACE)
        for session in sessions:
            metering.faults += [fault._asdict() for fault in session.faults]
        window = (-origin_ns, -origin_ns + round(length_s * NS_PER_S))
        findings = audit.audit_run(self._folder, metering.domains, window, metering)
        return _scored(self._folder, metering, window, findings)


def _sample(
    sessions: Sequence[MeterSession], clock: VirtualTime, length_s: float, path: Path
) -> None:
    """Read on a grid and at the edges, then on until every sensor has changed."""
    rows: list[str] = []

    def read() -> None:
        for session in sessions:
            rows.extend(session.rows(session.decode(session.poll(mark=False), clock.t_ns)))

    grid = {round((0.037 + k * PERIOD_S) * NS_PER_S) for k in range(-25, 10_000)}
    edges = (0, round(length_s * NS_PER_S))
    for t_ns in sorted(grid | set(edges)):
        if clock.t_ns < t_ns <= edges[1]:
            clock.t_ns = t_ns
            read()
    specs = {spec.name: spec for session in sessions for spec in session.reader.domains}
    waiting = {
        name: COUNTER_WAIT_S if spec.method == "counter" else POWER_WAIT_S
        for name, spec in specs.items()
        if not set(spec.parents) & specs.keys()
    }
    first: dict[str, Shown] = {}
    while waiting:
        clock.wait(PERIOD_S)
        read()
        last = {name: item for session in sessions for name, item in session.last.items()}
        for name, limit_s in tuple(waiting.items()):
            values = (last[name].energy_j, last[name].power_w) if name in last else (None, None)
            if clock.t_s - length_s > limit_s or first.setdefault(name, values) != values:
                del waiting[name]
    path.write_bytes(gzip.compress((TRACE_HEADER + "".join(rows)).encode()))


def _scored(
    folder: Path, metering: Metering, window: tuple[int, int], findings: list[Finding]
) -> Outcome:
    """The energy of the run as `score` computes it, where all checks but those of energy pass."""
    length_s = (window[1] - window[0]) / NS_PER_S
    report = SamplerReport(
        period_s=PERIOD_S, reads_count=100, readings_count=100, cpu_s=0.1, import_cpu_s=0.1,
        duration_s=length_s, peak_rss_bytes=1 << 20,
    )  # fmt: skip
    run = SimpleNamespace(
        window=SimpleNamespace(gun_ns=window[0], end_ns=window[1]),
        domains=metering.domains,
        findings=tuple(findings),
        sampler=report,
    )
    text = gzip.decompress((folder / TRACE).read_bytes())
    machine = b'{"gpus": []}'
    bundle: Any = SimpleNamespace(
        run=run, folder=folder, trace_text=lambda: text, read=lambda name: machine
    )
    ruleset = load_ruleset("default")
    joules, faults = read_joules(bundle, window[1])
    energy = run_energy(bundle, joules, length_s, 1e-6)
    checks = [*faults, *energy_findings(joules, bundle.run, ruleset)]
    status = degrade(StatusReason("ok", ""), findings).status
    score = RunScore(
        run_id="run", bundle="run", manifest_sha256="", seed=1, status=status, reason="",
        reached=True, snapshot=0, step=None, metric=1.0, time_s=length_s, time_low_s=None,
        window_s=length_s, cpu_s=None, peak_rss_bytes=None, energy=energy, findings=tuple(checks),
    )  # fmt: skip
    figures = joules.run.domains if joules.run else {}
    bounds = {name: item.bound_j for name, item in figures.items()}
    bounds["total"] = joules.run.total.bound_j if joules.run else None
    eligible = assess_energy([score], ruleset).eligible
    return Outcome(energy, bounds, [*findings, *checks], status, eligible, metering.failed)
