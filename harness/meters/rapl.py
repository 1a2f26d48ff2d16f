"""Joules of processor packages and memory from the kernel's powercap tree (Intel and AMD RAPL).

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
from harness.meters._sensing import check_options, update_period_s
from harness.plugins import Availability, Domain, Reader, Reading

ROOT_VARIABLE = "JOULEMARK_POWERCAP_ROOT"
_ROOT = "/sys/class/powercap"

_STEP_J = 2**-14
"""Coarsest usual energy unit (Intel SDM, MSR_RAPL_POWER_UNIT: 1/2^14 J, or finer)."""

_UPDATE_S = 0.001
"""Usual time between two updates, where it cannot be watched."""

_PACKAGE_GAIN = 0.05
_DRAM_GAIN = 0.2
"""DRAM domains follow the trend with an offset; on Haswell-EP within about 20 % when idle."""

_HEADROOM = 2.0
"""Short peaks go beyond the highest limit that the zone names."""

_MOST_W = {"package": 1500.0, "dram": 400.0, "psys": 3000.0}
"""Greatest power where the zone names no limit: above any processor that is sold."""


@dataclass(frozen=True)
class Zone:
    """One folder of the tree."""

    folder: Path
    label: str
    """Content of `name`: package-0, dram, core, psys ..."""
    index: str
    """As `0` or `0:1`."""
    parent: str
    """Label of the zone that it lies under, empty at the top."""
    mmio: bool


def root_of(options: Mapping[str, str]) -> Path:
    """Where the tree lies: option `root`, the environment, or the kernel's place."""
    return Path(options.get("root") or os.environ.get(ROOT_VARIABLE) or _ROOT)


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def zones(root: Path) -> list[Zone]:
    """All RAPL zones of a tree, the MMIO twins of a zone left out."""
    found: dict[tuple[bool, str], Zone] = {}
    for folder in sorted(root.glob("intel-rapl*:*"), key=lambda path: (len(path.name), path.name)):
        kind, _, index = folder.name.partition(":")
        try:
            label = _text(folder / "name")
        except OSError:
            continue  # not a zone
        mmio = kind.endswith("-mmio")
        above = found.get((mmio, index.rpartition(":")[0]))
        found[(mmio, index)] = Zone(folder, label, index, above.label if above else "", mmio)
    plain = {(zone.parent, zone.label) for zone in found.values() if not zone.mmio}
    return [
        zone for zone in found.values() if not zone.mmio or (zone.parent, zone.label) not in plain
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


def highest_w(zone: Zone) -> float:
    """Greatest power that the zone can take, W: its highest limit with headroom, or a ceiling."""
    limits = [
        value
        for pattern in ("constraint_*_max_power_uw", "constraint_*_power_limit_uw")
        for path in zone.folder.glob(pattern)
        if (value := _joules(zone.folder, path.name))
    ]
    ceiling = _MOST_W.get(zone.label.partition("-")[0], _MOST_W["package"])
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

    def spec(self, *, psys: bool, note: str) -> Domain:
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
            power_high_w=highest_w(zone),
            gain_error_ratio=_DRAM_GAIN if zone.label == "dram" else _PACKAGE_GAIN,
        )

    def close(self) -> None:
        os.close(self.fd)


def mirrored(first: _Counter, second: _Counter, rounds: int = 4) -> bool:
    """Whether two dies of one package show the same counter.

    Told by behaviour: each look at the second must fall between two looks at the first, and the
    first must have moved. Equal values at one moment alone prove nothing, and different packages
    are never taken for mirrors.
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
        self.domains: Sequence[Domain] = tuple(
            counter.spec(psys=psys, note=notes.get(counter.name, "")) for counter in counters
        )
        self.errors: dict[str, str] = {}

    def read(self) -> Sequence[Reading]:
        """Look at every zone; one that cannot be read is left out and told in `errors`."""
        readings, self.errors = self.decode(self.poll())
        return readings

    def poll(self) -> list[tuple[int, bytes | str, int]]:
        """Start, text or error, and end of each read."""
        seen: list[tuple[int, bytes | str, int]] = []
        end_ns = now_ns()
        for counter in self._counters:
            begin_ns = end_ns
            try:
                text: bytes | str = os.pread(counter.fd, 32, 0)
            except OSError as error:
                text = str(error)
            end_ns = now_ns()
            seen.append((begin_ns, text, end_ns))
        return seen

    def decode(
        self, seen: Sequence[tuple[int, bytes | str, int]]
    ) -> tuple[list[Reading], dict[str, str]]:
        """Readings in an answer of `poll`, and what is wrong with the domains that gave none."""
        readings: list[Reading] = []
        errors: dict[str, str] = {}
        for item, (begin_ns, text, end_ns) in zip(self._counters, seen, strict=True):
            try:
                joules = int(text) / 1e6
            except ValueError as error:
                said = text if isinstance(text, str) else error
                errors[item.name] = f"energy_uj cannot be read: {said}"
                continue
            t_ns, u_ns = (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2
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
        """Look for zones and try to read one."""
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
                continue  # a zone without permission; none at all is told below
        if not counters:
            availability = _availability(root)
            raise OSError(availability.reason)
        return RaplReader(*_without_mirrors(counters))


def _availability(root: Path) -> Availability:
    found = zones(root)
    if not found and any(root.glob("intel-rapl*:*")):
        reason = f"{root} names zones, but what they point to cannot be reached"
        advice = (
            "container runtimes hide it since CVE-2020-8694: start the container with "
            "-v /sys/devices/virtual/powercap:/sys/devices/virtual/powercap:ro"
        )
        return Availability(ok=False, reason=reason, advice=advice)
    if not found:
        reason = f"{root} has no intel-rapl zone"
        advice = "load the kernel module intel_rapl_msr; most virtual machines hide these counters"
        return Availability(ok=False, reason=reason, advice=advice)
    begin_ns = now_ns()
    for zone in found:
        try:
            int(_text(zone.folder / "energy_uj"))
        except OSError as error:
            reason = f"{zone.folder}/energy_uj cannot be read: {error.strerror}"
            advice = f"sudo chmod a+r {root}/intel-rapl:*/energy_uj (or run as root)"
            return Availability(ok=False, reason=reason, advice=advice)
        except ValueError:
            reason = f"{zone.folder}/energy_uj holds no number"
            return Availability(ok=False, reason=reason)
    took_us = (now_ns() - begin_ns) / len(found) / 1000
    names = ", ".join(sorted(domain_name(zone) for zone in found))
    return Availability(ok=True, reason=f"{names} ({took_us:.0f} µs a read)")


METER = RaplMeter()
