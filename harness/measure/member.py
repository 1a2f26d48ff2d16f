"""One opened meter within the sampler: its readings as rows of a trace, its faults in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.plugins import DomainSpec, Reader, Reading

_FAULTS_KEPT = 200
"""Faults told in full; beyond it they are counted only."""

_FAULT_REPEAT_NS = 10 * NS_PER_S
"""A fault that goes on is told again after this long."""

_FOLLOWED_S = (0.02, 0.5)
"""A counter whose update period lies in this range is watched for an update after a mark."""


class Fault(NamedTuple):
    """A reading that could not be taken or used."""

    meter: str
    domain: str
    """Empty where the whole meter failed."""
    message: str
    t_ns: int
    """`CLOCK_MONOTONIC`."""


class Live:
    """Running watts and joules of one domain, for the display alone; scores never see them."""

    def __init__(self, spec: DomainSpec) -> None:
        self.counts = spec.method == "counter"
        self._wrap_j = spec.wrap_j
        self._last: Reading | None = None
        self.joules = 0.0
        self.watts: float | None = None
        self.gap_max_ns = 0

    def add(self, reading: Reading) -> None:
        """Take the next reading in."""
        last, self._last = self._last, reading
        t_ns, _, energy_j, self.watts, _ = reading
        if last is None:
            return
        before_ns, _, before_j, before_w, _ = last
        step_ns = t_ns - before_ns
        if step_ns <= 0:
            return
        self.gap_max_ns = max(self.gap_max_ns, step_ns)
        if energy_j is not None and before_j is not None:
            gained = energy_j - before_j
            if gained < 0:
                if self._wrap_j is None:
                    return
                gained += self._wrap_j
            self.joules += gained
            if self.watts is None:
                self.watts = gained * NS_PER_S / step_ns
        elif self.watts is not None and before_w is not None:
            self.joules += (self.watts + before_w) / 2 * step_ns / NS_PER_S


def unusable(reading: Reading) -> str:
    """Why a reading cannot stand in the trace; empty where it can."""
    for label, value in (("energy", reading.energy_j), ("power", reading.power_w)):
        if value is not None and not math.isfinite(value):
            return f"{label} was not a finite number ({value})"
        if value is not None and value < 0:
            return f"{label} was negative ({value:g})"
    if reading.energy_j is None and reading.power_w is None:
        return "neither energy nor power was given"
    return ""


def _figure(value: float) -> str:
    """A cell of the trace.

    Raises:
        ValueError: it cannot stand there; `unusable` says why.
    """
    if 0 <= value < math.inf:
        return repr(float(value))
    raise ValueError


class Member:
    """One opened meter with its live figures and its faults.

    A reader may offer `glance` and `told` beside `read`: `glance()` looks at the device and
    returns whatever it saw, `told(seen)` makes readings of that and a mapping of domains in
    trouble. A thread that has slept pays several times as much for the same work as one that does
    it for many looks at once, so that only the look itself is done on the grid.
    """

    def __init__(self, name: str, reader: Reader, origin_ns: int) -> None:
        self.name = name
        self.reader = reader
        self.live = {spec.name: Live(spec) for spec in reader.domains}
        self.faults: list[Fault] = []
        self.faults_count = 0
        self.readings_count = 0
        self.first_ns: int | None = None
        """Stamp of the first reading."""
        self.last_ns = 0
        """Stamp of the last one."""
        self.near: Sequence[Reading] = ()
        """What the last look at an edge of the window, or after it, gave."""
        self._origin_ns = origin_ns
        self._tell = getattr(reader, "told", None)
        self._look: Callable[[], Any] = getattr(reader, "glance", reader.read)
        self._told: dict[tuple[str, str], int] = {}

    @property
    def follow_ns(self) -> int:
        """Update period of its slowest counter, where watching for the next update pays, else 0."""
        least_s, most_s = _FOLLOWED_S
        periods = [
            spec.update_period_s or 0.0
            for spec in self.reader.domains
            if spec.method == "counter" and least_s <= (spec.update_period_s or 0.0) <= most_s
        ]
        return int(max(periods, default=0.0) * NS_PER_S)

    def shown(self) -> dict[str, float | None]:
        """What its counters showed last near an edge."""
        counts = {name for name, item in self.live.items() if item.counts}
        return {item.domain: item.energy_j for item in self.near if item.domain in counts}

    def take(self, *, mark: bool) -> list[str]:
        """Read once; returns rows of the trace."""
        self.near = self.readings(self.look(mark=mark), now_ns())
        return self.rows(self.near)

    def look(self, *, mark: bool) -> Any:
        """Look once. Whatever a meter raises becomes a fault.

        Args:
            mark: this reading stands at an edge of the window; a meter with helpers that would
                otherwise give an older value is asked for a fresh one by its `mark` method.

        Returns:
            What `readings` understands; None where the look failed.
        """
        try:
            if mark and hasattr(self.reader, "mark"):
                self.reader.mark()
            seen = self._look()
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"{type(error).__name__}: {error}")
            return None
        if self._tell is None:
            self._troubled(getattr(self.reader, "trouble", {}), now_ns())
        return seen

    def readings(self, seen: Any, t_ns: int) -> Sequence[Reading]:
        """Readings of what a look saw; empty where it failed.

        Args:
            seen: what `look` returned.
            t_ns: when it looked, for faults.
        """
        if self._tell is None or seen is None:
            return seen or ()
        try:
            readings, trouble = self._tell(seen)
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"{type(error).__name__}: {error}")
            return ()
        self._troubled(trouble, t_ns)
        return readings  # type: ignore[no-any-return]

    def _troubled(self, trouble: Mapping[str, str], t_ns: int) -> None:
        for domain, message in trouble.items():
            self.fault(domain, message, t_ns)

    def rows(self, readings: Sequence[Reading]) -> list[str]:
        """Rows of the trace; a reading that cannot stand there becomes a fault."""
        rows = []
        origin_ns, live = self._origin_ns, self.live
        for reading in readings:
            try:
                t_ns, domain, energy_j, power_w, u_ns = reading
                watched = live[domain]
                energy = "" if energy_j is None else _figure(energy_j)
                power = "" if power_w is None else _figure(power_w)
                row = f"{t_ns - origin_ns:d},{domain},{energy},{power},{u_ns:d}\n"
            except (KeyError, TypeError, ValueError):
                self._unfit(reading)
                continue
            if not energy and not power:
                self._unfit(reading)
                continue
            watched.add(reading)
            rows.append(row)
            self.last_ns = t_ns
            if self.first_ns is None:
                self.first_ns = t_ns
        self.readings_count += len(rows)
        return rows

    def _unfit(self, reading: Reading) -> None:
        """Tell why a reading makes no row."""
        try:
            reason, domain = unusable(reading), reading.domain
            if domain not in self.live:
                reason = "the meter never announced this domain"
        except (AttributeError, TypeError, ValueError) as error:
            reason, domain = f"what it gave is no reading: {error}", ""
        self.fault(domain, reason or f"what it gave is no reading: {reading!r}")

    def fault(self, domain: str, message: str, t_ns: int | None = None) -> None:
        """Note a fault; one that goes on is told every ten seconds only.

        Args:
            domain: empty where the whole meter failed.
            message: what happened.
            t_ns: when; now where it is not given.
        """
        self.faults_count += 1
        t_ns = now_ns() if t_ns is None else t_ns
        key = (domain, message)
        told_ns = self._told.get(key)
        if told_ns is not None and t_ns - told_ns < _FAULT_REPEAT_NS:
            return
        if len(self._told) < _FAULTS_KEPT:
            self._told[key] = t_ns
            self.faults.append(Fault(self.name, domain, message, t_ns))

    def close(self) -> dict[str, float]:
        """Let the meter go; CPU seconds of its helper processes."""
        try:
            return dict(self.reader.close())
        except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
            self.fault("", f"close: {type(error).__name__}: {error}")
            return {}
