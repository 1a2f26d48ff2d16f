"""Energy of processor packages and memory from the kernel's powercap tree (Intel and AMD RAPL).

Of the tree's zones, `dram` lies under its package but is not contained in it; `core` and `uncore`
are; `psys` contains the packages; `intel-rapl-mmio` shows the same silicon a second time; and
some multi-die processors show one counter on each die.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock import now_ns
from harness.meters._sensing import ONLY_PSYS, check_options, midpoint, update_period_s
from harness.plugins import Availability, Decoded, Domain, Reader, Reading

ROOT_VARIABLE = "JOULEMARK_POWERCAP_ROOT"
_ROOT = "/sys/class/powercap"

_STEP_J = 2**-14
"""Coarsest usual energy unit (Intel SDM, MSR_RAPL_POWER_UNIT: 1/2^14 J, or finer)."""

_UPDATE_S = 0.001
"""Usual time between two updates, where it cannot be measured."""

_PACKAGE_GAIN = 0.05
_DRAM_GAIN = 0.2
"""DRAM domains have an offset; on Haswell-EP they are within about 20 % when idle."""

_HEADROOM = 2.0
"""Short peaks exceed the highest limit that the zone names."""

_POWER_MAX_W = {"package": 1500.0, "dram": 400.0, "psys": 3000.0}
"""Greatest power where the zone names no limit: above that of any processor on sale."""


@dataclass(frozen=True)
class Zone:
    """One folder of the tree."""

    folder: Path
    label: str
    """Content of `name`: package-0, dram, core, psys ..."""
    index: str
    """As `0` or `0:1`."""
    parent: str
    """Label of the zone above it; empty at the top."""
    mmio: bool


def root_of(options: Mapping[str, str]) -> Path:
    """Where the tree is: option `root`, the environment, or the kernel's default."""
    return Path(options.get("root") or os.environ.get(ROOT_VARIABLE) or _ROOT)


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def zones(root: Path) -> list[Zone]:
    """All RAPL zones of a tree, without the MMIO duplicates."""
    by_index: dict[tuple[bool, str], Zone] = {}
    for folder in sorted(root.glob("intel-rapl*:*"), key=lambda path: (len(path.name), path.name)):
        kind, _, index = folder.name.partition(":")
        try:
            label = _text(folder / "name")
        except OSError:
            continue  # not a zone
        mmio = kind.endswith("-mmio")
        above = by_index.get((mmio, index.rpartition(":")[0]))
        by_index[(mmio, index)] = Zone(folder, label, index, above.label if above else "", mmio)
    plain = {(zone.parent, zone.label) for zone in by_index.values() if not zone.mmio}
    return [
        zone
        for zone in by_index.values()
        if not zone.mmio or (zone.parent, zone.label) not in plain
    ]


def _socket(zone: Zone) -> str:
    """`0` of `package-0`, `0-die-1` of `package-0-die-1`, for the zone or the one above it."""
    label = zone.label if zone.label.startswith("package-") else zone.parent
    return label.removeprefix("package-") if label.startswith("package-") else zone.index


def domain_name(zone: Zone) -> str:
    """As `cpu-package-0`, `dram-0`, `cpu-core-0`, `cpu-psys`."""
    if zone.label.startswith("package-"):
        return f"cpu-{zone.label}"
    if zone.label == "psys":
        return "cpu-psys"
    prefix = "dram" if zone.label == "dram" else f"cpu-{zone.label}"
    return f"{prefix}-{_socket(zone)}".replace(":", "-")


def _parents(zone: Zone, *, psys: bool) -> tuple[str, ...]:
    """Domains that contain this one; memory is not within its package."""
    if zone.label == "psys":
        return ()
    above = ("cpu-psys",) if psys else ()
    if zone.label.startswith("package-") or zone.label == "dram" or not zone.parent:
        return above
    return (f"cpu-{zone.parent}", *above)


def _joules(folder: Path, name: str) -> float | None:
    try:
        return int(_text(folder / name)) / 1e6
    except (OSError, ValueError):
        return None


def power_max_w(zone: Zone) -> float:
    """Greatest power of the zone, W: its highest limit with headroom, or a general maximum."""
    limits = [
        value
        for pattern in ("constraint_*_max_power_uw", "constraint_*_power_limit_uw")
        for path in zone.folder.glob(pattern)
        if (value := _joules(zone.folder, path.name))
    ]
    ceiling = _POWER_MAX_W.get(zone.label.partition("-")[0], _POWER_MAX_W["package"])
    return min(_HEADROOM * max(limits), ceiling) if limits else ceiling


class _Counter:
    """An open `energy_uj`."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.name = domain_name(zone)
        self.fd = os.open(zone.folder / "energy_uj", os.O_RDONLY | os.O_CLOEXEC)
        self.period_s = update_period_s(self.joules, 0.02, 0.0002) or _UPDATE_S

    def joules(self) -> float:
        return int(os.pread(self.fd, 32, 0)) / 1e6

    def domain(self, *, psys: bool, note: str) -> Domain:
        zone = self.zone
        return Domain(
            name=self.name,
            kind="dram" if zone.label == "dram" else "cpu",
            method="counter",
            meter="rapl",
            source=f"{zone.folder}/energy_uj{note}",
            parents=_parents(zone, psys=psys),
            wrap_j=_joules(zone.folder, "max_energy_range_uj"),
            resolution_j=_STEP_J,
            update_period_s=self.period_s,
            power_low_w=0.0,
            power_high_w=power_max_w(zone),
            gain_error_ratio=_DRAM_GAIN if zone.label == "dram" else _PACKAGE_GAIN,
        )

    def close(self) -> None:
        os.close(self.fd)


def mirrored(first: _Counter, second: _Counter, rounds: int = 4) -> bool:
    """Whether two dies of one package show the same counter.

    It is decided by behaviour: each value of the second must lie between two values of the first,
    and the first must have changed. Equal values at one time prove nothing, and counters of
    different packages are never compared.
    """
    begin_j = first.joules()
    for _ in range(rounds):
        before, other, after = first.joules(), second.joules(), first.joules()
        if not before <= other <= after:
            return False
        time.sleep(0.003)
    return first.joules() > begin_j


class RaplReader(Reader):
    """The open counters of one tree."""

    def __init__(self, counters: Sequence[_Counter], notes: Mapping[str, str]) -> None:
        self._counters = counters
        psys = any(counter.zone.label == "psys" for counter in counters)
        self.domains = tuple(
            counter.domain(psys=psys, note=notes.get(counter.name, "")) for counter in counters
        )

    def read(self) -> Sequence[Reading]:
        """Read every zone."""
        readings, self.errors = self.decode(self.poll())
        return readings

    def poll(self) -> list[tuple[int, bytes | str, int]]:
        """Start, text or error, and end of each read."""
        polls: list[tuple[int, bytes | str, int]] = []
        end_ns = now_ns()
        for counter in self._counters:
            begin_ns = end_ns
            try:
                text: bytes | str = os.pread(counter.fd, 32, 0)
            except OSError as error:
                text = str(error)
            end_ns = now_ns()
            polls.append((begin_ns, text, end_ns))
        return polls

    def decode(self, answer: Sequence[tuple[int, bytes | str, int]]) -> Decoded:
        """Readings in what `poll` returned, and errors by domain."""
        readings: list[Reading] = []
        errors: dict[str, str] = {}
        for item, (begin_ns, text, end_ns) in zip(self._counters, answer, strict=True):
            try:
                joules = int(text) / 1e6
            except ValueError as error:
                said = text if isinstance(text, str) else error
                errors[item.name] = f"energy_uj cannot be read: {said}"
                continue
            t_ns, u_ns = midpoint(begin_ns, end_ns)
            readings.append(Reading(t_ns, item.name, joules, None, u_ns))
        return readings, errors

    def close(self) -> Mapping[str, float]:
        """Close the files."""
        for counter in self._counters:
            counter.close()
        return {}


def _without_mirrors(counters: list[_Counter]) -> tuple[list[_Counter], dict[str, str]]:
    kept: list[_Counter] = []
    notes: dict[str, str] = {}
    for counter in counters:
        twin = next((other for other in kept if _same_package(other, counter)), None)
        if twin is not None and mirrored(twin, counter):
            notes[twin.name] = f", shown again by {counter.zone.label}"
            counter.close()
        else:
            kept.append(counter)
    return kept, notes


def _same_package(one: _Counter, other: _Counter) -> bool:
    def package(label: str) -> str:
        return label.partition("-die-")[0]

    labels = one.zone.label, other.zone.label
    return all("-die-" in item for item in labels) and package(labels[0]) == package(labels[1])


class RaplMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("cpu", "dram")

    def probe(self) -> Availability:
        """Look for zones and read them."""
        return _availability(root_of({}))

    def open(self, options: Mapping[str, str]) -> RaplReader:
        """Open every readable zone; option `root`: folder of the tree."""
        check_options("rapl", options, ("root",))
        root = root_of(options)
        counters = []
        for zone in zones(root):
            try:
                counters.append(_Counter(zone))
            except OSError:
                continue  # a zone without permission; none at all is an error below
        if all(counter.zone.label == "psys" for counter in counters):
            for counter in counters:
                counter.close()
            availability = _availability(root)
            raise OSError(availability.reason)
        return RaplReader(*_without_mirrors(counters))


def _availability(root: Path) -> Availability:
    there = zones(root)
    if not there and any(root.glob("intel-rapl*:*")):
        reason = f"{root} names zones, but the folders behind them cannot be read"
        advice = (
            "container runtimes hide it since CVE-2020-8694: start the container with "
            "-v /sys/devices/virtual/powercap:/sys/devices/virtual/powercap:ro"
        )
        return Availability(ok=False, reason=reason, advice=advice)
    if not there:
        reason = f"{root} has no intel-rapl zone"
        advice = "load the kernel module intel_rapl_msr; most virtual machines hide these counters"
        return Availability(ok=False, reason=reason, advice=advice)
    if all(zone.label == "psys" for zone in there):
        return Availability(ok=False, reason=f"{root} {ONLY_PSYS}")
    begin_ns = now_ns()
    for zone in there:
        try:
            int(_text(zone.folder / "energy_uj"))
        except OSError as error:
            reason = f"{zone.folder}/energy_uj cannot be read: {error.strerror}"
            advice = f"sudo chmod a+r {root}/intel-rapl:*/energy_uj (or run as root)"
            return Availability(ok=False, reason=reason, advice=advice)
        except ValueError:
            reason = f"{zone.folder}/energy_uj holds no number"
            return Availability(ok=False, reason=reason)
    took_us = (now_ns() - begin_ns) / len(there) / 1000
    names = ", ".join(sorted(domain_name(zone) for zone in there))
    return Availability(ok=True, reason=f"{names} ({took_us:.0f} µs a read)")


METER = RaplMeter()
