"""One opened meter in the sampler: its readings as rows of the trace, its faults as messages."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.plugins import Reader, Reading

_FAULTS_KEPT = 200
"""Faults reported in full; further ones are only counted."""

_FAULT_REPEAT_NS = 10 * NS_PER_S
"""A fault that lasts is reported again after this time."""

_LATE_S = 0.5
"""A meter with a longer update period shows after a mark what happened before it."""

_UPDATE_LIMIT_S = 1.5
_LATE_PERIODS = 2.5
"""How long the next update is awaited after a mark: of a counter, since a hypervisor may refresh it
once a second whatever is stated; and of a late meter, in update periods."""


class Fault(NamedTuple):
    """A reading that could not be taken or used."""

    meter: str
    domain: str
    """Empty where the whole meter failed."""
    message: str
    t_ns: int
    """`CLOCK_MONOTONIC`."""


def reading_error(reading: Reading) -> str:
    """Why a reading cannot be stored in the trace; empty where it can."""
    for label, value in (("energy", reading.energy_j), ("power", reading.power_w)):
        if value is not None and not math.isfinite(value):
            return f"{label} was not a finite number ({value})"
        if value is not None and value < 0:
            return f"{label} was negative ({value:g})"
    if reading.energy_j is None and reading.power_w is None:
        return "neither energy nor power was given"
    return ""


def _cell(value: float | None) -> str:
    """A cell of the trace, empty for None.

    Raises:
        ValueError: the value cannot be stored; `reading_error` says why.
    """
    if value is None:
        return ""
    if 0 <= value < math.inf:
        return repr(float(value))
    raise ValueError


class MeterSession:
    """One opened meter, its last readings and its faults."""

    def __init__(
        self, name: str, reader: Reader, origin_ns: int = 0, dead: Collection[str] = ()
    ) -> None:
        """Take an opened meter, time 0 of the trace, and the names of domains not to be read."""
        self.name = name
        self.reader = reader
        self.domains = tuple(spec for spec in reader.domains if spec.name not in dead)
        """What is read of it."""
        self.origin_ns = origin_ns
        """Time 0 of the trace."""
        self.last: dict[str, Reading] = {}
        """The last stored reading of each domain."""
        self.gap_max_ns = 0
        """Longest time between two readings of one domain."""
        self.faults: list[Fault] = []
        self.faults_count = 0
        self.readings_count = 0
        self.first_ns: int | None = None
        """Time of the first reading."""
        self.last_ns = 0
        """Time of the last one."""
        self.edge_readings: Sequence[Reading] = ()
        """The last readings that were taken at an edge of the window or while tracking."""
        self._names = frozenset(spec.name for spec in self.domains)
        self._dead = frozenset(dead)
        self._reported_ns: dict[tuple[str, str], int] = {}

    @property
    def update_s(self) -> float:
        """Update period of its fastest domain, as stated; 0 where it does not lag."""
        return min((spec.update_period_s or 0.0 for spec in self.domains), default=0.0)

    @property
    def tracked_s(self) -> float:
        """How long it is read more often after a mark; 0 where that shows nothing."""
        if self.update_s > _LATE_S:
            return _LATE_PERIODS * self.update_s
        counts = any(spec.method == "counter" for spec in self.domains)
        return _UPDATE_LIMIT_S if counts else 0.0

    def edge_counters(self) -> dict[str, float | None]:
        """Values of its counters in `edge_readings`."""
        counters = {spec.name for spec in self.domains if spec.method == "counter"}
        return {
            item.domain: item.energy_j for item in self.edge_readings if item.domain in counters
        }

    def is_behind(self, before: Mapping[str, float | None], mark_ns: int) -> bool:
        """Whether it has not yet shown an update after a mark.

        Args:
            before: values of its counters at the mark.
            mark_ns: time of the mark.
        """
        if self.update_s > _LATE_S:
            return all(reading.t_ns < mark_ns for reading in self.edge_readings)
        return bool(before.items() & self.edge_counters().items())

    def read(self, *, mark: bool) -> list[str]:
        """Read once; returns rows of the trace."""
        self.edge_readings = self.decode(self.poll(mark=mark), now_ns())
        return self.rows(self.edge_readings)

    def poll(self, *, mark: bool) -> Any:
        """Ask the meter once. Whatever it raises becomes a fault.

        Args:
            mark: whether this reading is at an edge of the window, so that the value must be fresh.

        Returns:
            The argument of `decode`; None where the meter failed.
        """
        try:
            if mark:
                self.reader.mark()
            return self.reader.poll()
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"{type(error).__name__}: {error}")
            return None

    def decode(self, answer: Any, t_ns: int) -> Sequence[Reading]:
        """Readings in what `poll` returned; empty where the meter failed.

        Args:
            answer: what `poll` returned.
            t_ns: when it was polled, for faults.
        """
        if answer is None:
            return ()
        try:
            readings, errors = self.reader.decode(answer)
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"{type(error).__name__}: {error}")
            return ()
        for domain in errors.keys() - self._dead:
            self.fault(domain, errors[domain], t_ns)
        return (
            [item for item in readings if item.domain not in self._dead] if self._dead else readings
        )

    def rows(self, readings: Sequence[Reading]) -> list[str]:
        """Rows of the trace; a reading that cannot be stored becomes a fault."""
        rows = []
        for reading in readings:
            try:
                t_ns, domain, energy_j, power_w, u_ns = reading
                cells = f"{_cell(energy_j)},{_cell(power_w)}"
                row = f"{t_ns - self.origin_ns:d},{domain},{cells},{u_ns:d}\n"
                known = domain in self._names and cells != ","
            except (TypeError, ValueError):
                known = False
            if not known:
                self._reject(reading)
                continue
            before = self.last.get(domain)
            if before is not None:
                self.gap_max_ns = max(self.gap_max_ns, t_ns - before[0])
            self.last[domain] = reading
            rows.append(row)
            self.last_ns = t_ns
            if self.first_ns is None:
                self.first_ns = t_ns
        self.readings_count += len(rows)
        return rows

    def _reject(self, reading: Reading) -> None:
        """Report why a reading makes no row."""
        try:
            reason, domain = reading_error(reading), reading.domain
            if domain not in self._names:
                reason = "the meter did not declare this domain"
        except (AttributeError, TypeError, ValueError) as error:
            reason, domain = f"the meter returned something else than a reading: {error}", ""
        self.fault(domain, reason or f"the meter returned an invalid reading: {reading!r}")

    def vitals(self) -> Mapping[str, float]:
        """What the meter itself watches; a failure becomes a fault."""
        try:
            return dict(self.reader.vitals())
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"vitals: {type(error).__name__}: {error}")
            return {}

    def fault(self, domain: str, message: str, t_ns: int | None = None) -> None:
        """Record a fault; one that lasts is reported every ten seconds only.

        Args:
            domain: empty where the whole meter failed.
            message: what happened.
            t_ns: when; now where it is not given.
        """
        self.faults_count += 1
        t_ns = now_ns() if t_ns is None else t_ns
        key = (domain, message)
        reported_ns = self._reported_ns.get(key)
        if reported_ns is not None and t_ns - reported_ns < _FAULT_REPEAT_NS:
            return
        if len(self._reported_ns) < _FAULTS_KEPT:
            self._reported_ns[key] = t_ns
            self.faults.append(Fault(self.name, domain, message, t_ns))

    def close(self) -> dict[str, float]:
        """Close the meter; CPU seconds of its helper processes."""
        try:
            return dict(self.reader.close())
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"close: {type(error).__name__}: {error}")
            return {}
