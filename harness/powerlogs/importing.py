"""Imports power logs: joules with uncertainty, and the findings of a live measurement.

A power sensor's joules are the area under the line that joins its readings, from the first to the
last; a counter's are the difference of both. The audit of `harness.measure` judges the readings as
it judges those of a run: a dead or implausible sensor, or one that was not read for more than half
of the time, has no joules, and then there is no total.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from harness.clock import NS_PER_S
from harness.formats.files import recording
from harness.formats.format import make_finding
from harness.formats.text import Text, TextError
from harness.measure.audit import audit
from harness.measure.energy import Energy, EnergyReader, Total, total
from harness.measure.power import integrate
from harness.measure.series import Series, readings_of, uses_counter
from harness.measure.trace import Trace
from harness.plugins import Domain, Reading
from harness.powerlogs.log import HeaderError, LineError, LogParser
from harness.records import Finding, ImportedRun
from harness.records.measure import weakest_method
from harness.records.run import Level

BACKWARDS_MAX = 0.5
"""Readings of which more are out of order were written in another order, and are sorted."""


def import_log(
    name: str, parser: LogParser, text: Text, folder: str
) -> Iterator[ImportedRun | Finding]:
    """The runs of a log, and findings about lines that give no reading.

    Raises:
        TextError: nothing in it is of the format.
    """
    readings, findings = parse(name, parser, text)
    runs = parser.runs(readings)
    findings += [
        make_finding(f"{name}-{kind}", f"{text.path}: {note}") for kind, note in parser.notes
    ]
    if not runs:
        why = findings[0].message if findings else f"{text.path}: no reading"
        raise TextError(f"{why}; expected {parser.expected}")
    if len(runs) != 1:
        yield from findings
        findings = []
    for run, own in sorted(runs.items()):
        result = LogEnergy(name, parser, text, own)
        figures = {item: e for item, e in result.energies.items() if e.energy_j is not None}
        stated_s, total = parser.duration_s(text), result.total
        power = {f"{item}_mean_w": mean_w for item, mean_w in result.mean_power_w.items()}
        yield recording(
            text,
            folder,
            name,
            run=run or text.path.stem,
            time_s=result.duration_s if stated_s is None else stated_s,
            energy_by_method_j={} if total.energy_j is None else {"window": total.energy_j},
            energy_u_j=total.u_j,
            energy_by_domain_j={item: e.energy_j for item, e in figures.items()},
            energy_u_by_domain_j={i: e.u_j for i, e in figures.items() if e.u_j is not None},
            energy_bound_by_domain_j={i: e.bound_j for i, e in figures.items() if e.bound_j},
            energy_kind=weakest_method(e.method for e in figures.values()),
            facts={"scope": parser.scope, "readings_count": len(own)} | power | parser.facts(run),
            findings=(*findings, *result.findings),
            **parser.identify(text.path, folder, run),
        )


def parse(name: str, parser: LogParser, text: Text) -> tuple[list[Reading], list[Finding]]:
    """All readings of a file; lines that give none become findings.

    Raises:
        TextError: its header is not of the format.
    """
    readings: list[Reading] = []
    findings = []
    for number, line in enumerate(text.lines or [""], 1):
        try:
            readings += parser.feed(line)
        except HeaderError as error:
            raise TextError(f"{text.path}, line {number}: {error}") from error
        except LineError as error:
            message = f"{text.path}, line {number}: left out: {error}"
            findings.append(make_finding(f"{name}-row", message))
    return readings + parser.finish(), findings


def by_domain(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    """Readings of each domain, in the order of the file."""
    domains: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        domains[reading.domain].append(reading)
    return dict(sorted(domains.items()))


def order_in_time(readings: list[Reading]) -> tuple[list[Reading], float]:
    """Readings of one domain in the order of time, and by how much a clock was set back, seconds.

    Where the clock goes back, the readings after it follow at the usual distance: those of an hour
    that comes twice must not lie between each other.
    """
    steps_ns = [after.t_ns - before.t_ns for before, after in pairwise(readings)]
    back_ns = [-step for step in steps_ns if step < 0]
    if not back_ns:
        return readings, 0.0
    if len(back_ns) > BACKWARDS_MAX * len(steps_ns):
        return sorted(readings, key=lambda reading: reading.t_ns), max(back_ns) / NS_PER_S
    forward_ns = sorted(step for step in steps_ns if step > 0)
    usual_ns = forward_ns[len(forward_ns) // 2] if forward_ns else NS_PER_S
    shift_ns, ordered = 0, readings[:1]
    for step_ns, reading in zip(steps_ns, readings[1:], strict=True):
        shift_ns += usual_ns - step_ns if step_ns < 0 else 0
        ordered.append(reading._replace(t_ns=reading.t_ns + shift_ns))
    return ordered, max(back_ns) / NS_PER_S


class LogEnergy:
    """The energy of one run of a log."""

    def __init__(
        self, name: str, parser: LogParser, text: Text, readings: Sequence[Reading]
    ) -> None:
        self._rule, self._path = name, text.path
        self.findings: list[Finding] = []
        """What is wrong with the readings."""
        domains: dict[str, list[Reading]] = {}
        for domain, own in by_domain(readings).items():
            domains[domain], back_s = order_in_time(own)
            if back_s:
                message = f"the clock of '{domain}' was set back by {back_s:.4g} s, or recordings"
                self._add("order", f"{message} follow each other; readings keep the file's order")
        first_ns = min((own[0].t_ns for own in domains.values()), default=0)
        self._series = {domain: _to_series(own, first_ns) for domain, own in domains.items()}
        self._specs = [parser.describe(domain, self._series) for domain in self._series]
        self._timed = not parser.untimed_count
        ends = [series.t_s[-1] for series in self._series.values()]
        self.duration_s = float(max(ends)) if ends and self._timed else None
        """Seconds from the first to the last reading."""
        self.energies = {spec.name: self._measure(spec) for spec in self._specs}
        """By domain; without a figure where the sensor is dead or too little was read."""
        self._audit()
        self.total = self._total(parser.added)
        """Of the domains that are added."""

    def _add(self, kind: str, message: str, level: Level = "warn", advice: str = "") -> None:
        finding = make_finding(f"{self._rule}-{kind}", f"{self._path}: {message}", level, advice)
        self.findings.append(finding)

    @property
    def mean_power_w(self) -> dict[str, float]:
        """Mean of the power readings of each domain that has any."""
        return {
            name: float(series.with_power().power_w.mean())
            for name, series in self._series.items()
            if len(series.with_power().t_ns)
        }

    def _measure(self, spec: Domain) -> Energy:
        series = self._series[spec.name]
        usable, counts = readings_of(series, spec), uses_counter(series, spec)
        window = usable if len(usable.t_ns) > 1 else series
        start_ns, end_ns = int(window.t_ns.min()), int(window.t_ns.max())
        if not self._timed or start_ns == end_ns:
            gained_j = float(series.energy_j[-1] - series.energy_j[0])
            known = counts and len(series.t_ns) > 1
            return Energy(
                domain=spec.name, kind=spec.kind, method=spec.method, simulated=False,
                energy_j=gained_j if known else None,
            )  # fmt: skip
        result = EnergyReader(Trace({spec.name: series}), [spec]).energy(
            spec.name, start_ns, end_ns
        )
        if result.energy_j is None:
            return result
        if not counts:
            # The log's stamps are when it was read: no lag of the sensor is taken off.
            ends_s = (float(usable.t_s[0]), float(usable.t_s[-1]))
            return replace(result, energy_j=integrate(usable.t_s, usable.power_w, *ends_s))
        gained_j = float(usable.energy_j[-1] - usable.energy_j[0])
        monotonic = bool((usable.energy_j[1:] >= usable.energy_j[:-1]).all())
        return replace(result, energy_j=gained_j) if monotonic else result

    def _audit(self) -> None:
        single = [name for name, series in self._series.items() if len(series.t_ns) == 1]
        if single:
            self._add("single", f"{', '.join(single)}: a single reading, so no joules")
        if not self._timed and any(spec.method == "sampled" for spec in self._specs):
            advice = "record with time stamps"
            self._add("untimed", "the lines have no time, so power gives no joules", advice=advice)
        if self.duration_s:
            trace, window = Trace(self._series), (0, int(self.duration_s * NS_PER_S))
            for finding in audit(trace, self._specs, window):
                message = f"{self._path}: {finding.message}"
                self.findings.append(finding.model_copy(update={"message": message}))

    def _total(self, added: Sequence[str] | None) -> Total:
        specs = [s for s in self._specs if added is None or s.name.startswith(tuple(added))]
        kinds = {kind: [self.energies[s.name] for s in specs if s.kind == kind]
                 for kind in ("cpu", "dram")}  # fmt: skip
        joules = {kind: sum(e.energy_j or 0.0 for e in parts) for kind, parts in kinds.items()}
        result = total([self.energies[spec.name] for spec in specs], specs)
        if 0 < joules["cpu"] < joules["dram"]:
            shown = f"{joules['dram']:.6g} J, more than the {joules['cpu']:.6g} J of its processors"
            advice = (
                "the unit of its counter may be wrong by 4 (likwid, issue 642); update the tool"
            )
            self._add("memory", f"the memory reads {shown}: no total", "fail", advice)
            return replace(result, energy_j=None, u_j=None)
        return result


def _to_series(readings: Sequence[Reading], first_ns: int) -> Series:
    stamps = [reading.t_ns for reading in readings]
    whole = all(stamp % NS_PER_S == 0 for stamp in stamps)
    return Series(
        np.array(stamps, dtype=np.int64) - first_ns,
        np.array([np.nan if r.energy_j is None else r.energy_j for r in readings]),
        np.array([np.nan if r.power_w is None else r.power_w for r in readings]),
        # Stamps of whole seconds are up to half a second from the middle of theirs.
        np.full(len(stamps), NS_PER_S / 2 if whole else 0.0),
    )
