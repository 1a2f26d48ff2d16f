"""Energy of processor packages and memory from the kernel's powercap tree (Intel and AMD RAPL).

Of the tree's zones, `dram` lies under its package but is not contained in it; `core` and `uncore`
are; `psys` contains the packages; `intel-rapl-mmio` shows the same silicon a second time; and
some multi-die processors show one counter on each die.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.clock import now_ns
from harness.meters._files import (
    FileSource,
    FilesReader,
    file_text,
    microjoules,
    optional_number,
    root_folder,
)
from harness.meters._sensing import (
    DRAM_GAIN,
    ONLY_PSYS,
    PACKAGE_GAIN,
    RAPL_STEP_J,
    RAPL_UPDATE_S,
    check_options,
)
from harness.plugins import Availability, Domain

ROOT_VARIABLE = "JOULEMARK_POWERCAP_ROOT"
_ROOT = "/sys/class/powercap"

_HEADROOM = 2.0
"""Short peaks exceed the highest limit that the zone names."""

_POWER_MAX_W = {"package": 1500.0, "dram": 400.0, "psys": 3000.0}
"""Greatest power where the zone names no limit: above that of any processor on sale."""


_TWIN_READS = 10
"""A counter that does not move between so many reads in 20 ms stands still."""


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


def zones(root: Path) -> list[Zone]:
    """All RAPL zones of a tree; of a zone and its MMIO duplicate the live one."""
    by_index: dict[tuple[bool, str], Zone] = {}
    for folder in sorted(root.glob("intel-rapl*:*"), key=lambda path: (len(path.name), path.name)):
        kind, _, index = folder.name.partition(":")
        try:
            label = file_text(folder / "name")
        except OSError:
            continue  # not a zone
        mmio = kind.endswith("-mmio")
        above = by_index.get((mmio, index.rpartition(":")[0]))
        by_index[(mmio, index)] = Zone(folder, label, index, above.label if above else "", mmio)
    known = by_index.values()
    twins = {(zone.parent, zone.label): zone for zone in known if zone.mmio}
    plain = [zone for zone in known if not zone.mmio]
    lone = twins.keys() - {(zone.parent, zone.label) for zone in plain}
    return [
        *(_live(zone, twins.get((zone.parent, zone.label))) for zone in plain),
        *(zone for place, zone in twins.items() if place in lone),
    ]


def _live(zone: Zone, twin: Zone | None) -> Zone:
    """The MMIO twin of a zone where its counter moves and that of the zone does not."""
    if twin is None:
        return zone
    paths = (zone.folder / "energy_uj", twin.folder / "energy_uj")
    first = [optional_number(path, 1.0) for path in paths]
    for _ in range(_TWIN_READS):
        time.sleep(0.002)
        if optional_number(paths[0], 1.0) != first[0]:
            return zone
    return twin if optional_number(paths[1], 1.0) != first[1] else zone


def domain_name(zone: Zone) -> str:
    """As `cpu-package-0`, `dram-0`, `cpu-core-0`, `cpu-psys`."""
    if zone.label.startswith("package-"):
        return f"cpu-{zone.label}"
    if zone.label == "psys":
        return "cpu-psys"
    prefix = "dram" if zone.label == "dram" else f"cpu-{zone.label}"
    # `0` of `package-0` and `0-die-1` of `package-0-die-1`: the index of a zone is no socket.
    above = zone.parent.startswith("package-")
    socket = zone.parent.removeprefix("package-") if above else zone.index
    return f"{prefix}-{socket}".replace(":", "-")


def _parents(zone: Zone, *, psys: bool) -> tuple[str, ...]:
    """Domains that contain this one; memory is not within its package."""
    if zone.label == "psys":
        return ()
    above = ("cpu-psys",) if psys else ()
    if zone.label.startswith("package-") or zone.label == "dram" or not zone.parent:
        return above
    return (f"cpu-{zone.parent}", *above)


def power_max_w(zone: Zone) -> float:
    """Greatest power of the zone, W: its highest limit with headroom, or a general maximum."""
    limits = [
        value
        for pattern in ("constraint_*_max_power_uw", "constraint_*_power_limit_uw")
        for path in zone.folder.glob(pattern)
        if (value := optional_number(path, 1e-6))
    ]
    ceiling = _POWER_MAX_W.get(zone.label.partition("-")[0], _POWER_MAX_W["package"])
    return min(_HEADROOM * max(limits), ceiling) if limits else ceiling


def _source(zone: Zone, *, psys: bool) -> FileSource:
    path, is_dram = zone.folder / "energy_uj", zone.label == "dram"
    domain = Domain(
        name=domain_name(zone),
        kind="dram" if is_dram else "cpu",
        method="counter",
        meter="rapl",
        source=str(path),
        parents=_parents(zone, psys=psys),
        wrap_j=optional_number(zone.folder / "max_energy_range_uj", 1e-6),
        resolution_j=RAPL_STEP_J,
        update_period_s=RAPL_UPDATE_S,
        power_low_w=0.0,
        power_high_w=power_max_w(zone),
        gain_error_ratio=DRAM_GAIN if is_dram else PACKAGE_GAIN,
    )
    return FileSource(domain, (path,), microjoules)


def mirrored(first: FileSource, second: FileSource, rounds: int = 4) -> bool:
    """Whether two dies of one package show the same counter.

    It is decided by behaviour: each value of the second must lie between two values of the first,
    and the first must have changed. Equal values at one time prove nothing, and counters of
    different packages are never compared.
    """

    def joules(source: FileSource) -> float:
        return source.values()[0] or 0.0

    begin_j = joules(first)
    for _ in range(rounds):
        before, other, after = joules(first), joules(second), joules(first)
        if not before <= other <= after:
            return False
        time.sleep(0.003)
    return joules(first) > begin_j


def _without_mirrors(sources: Sequence[tuple[Zone, FileSource]]) -> list[FileSource]:
    kept: dict[str, FileSource] = {}
    for zone, source in sources:
        package, die, _ = source.domain.name.partition("-die-")
        dies = [name for name in kept if die and name.startswith(f"{package}{die}")]
        twin = next((name for name in dies if mirrored(kept[name], source)), None)
        if twin is None:
            kept[source.domain.name] = source
        else:
            note = f"{kept[twin].domain.source}, shown again by {zone.label}"
            kept[twin] = replace(kept[twin], domain=replace(kept[twin].domain, source=note))
    return list(kept.values())


class RaplMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("cpu", "dram")

    def probe(self) -> Availability:
        """Look for zones and read them."""
        return _availability(root_folder({}, ROOT_VARIABLE, _ROOT))

    def open(self, options: Mapping[str, str]) -> FilesReader:
        """Open every readable zone; option `root`: folder of the tree."""
        check_options("rapl", options, ("root",))
        root = root_folder(options, ROOT_VARIABLE, _ROOT)
        readable = [zone for zone in zones(root) if os.access(zone.folder / "energy_uj", os.R_OK)]
        if all(zone.label == "psys" for zone in readable):
            raise OSError(_availability(root).reason)
        psys = any(zone.label == "psys" for zone in readable)
        return FilesReader(
            _without_mirrors([(zone, _source(zone, psys=psys)) for zone in readable])
        )


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
            int(file_text(zone.folder / "energy_uj"))
        except OSError as error:
            reason = f"{zone.folder}/energy_uj cannot be read: {error.strerror}"
            advice = f"sudo chmod a+r {root}/intel-rapl:*/energy_uj (or run as root)"
            return Availability(ok=False, reason=reason, advice=advice)
        except ValueError:
            return Availability(ok=False, reason=f"{zone.folder}/energy_uj holds no number")
    took_us = (now_ns() - begin_ns) / len(there) / 1000
    names = ", ".join(sorted(domain_name(zone) for zone in there))
    return Availability(ok=True, reason=f"{names} ({took_us:.0f} µs a read)")


METER = RaplMeter()
