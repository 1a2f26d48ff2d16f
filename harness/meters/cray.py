"""Energy counters of HPE Cray blades, `/sys/cray/pm_counters`.

The blade's controller updates the files about ten times a second. A file holds a value, its unit
and often a time stamp: `4216739 J 1764566400123456 us`. `energy` covers the whole node;
`cpu_energy`, `memory_energy` and `accelN_energy` cover parts of it. Each has a power file beside
it. Source: Hart et al., "User-level Power Monitoring and Application Performance on Cray XC30
Supercomputers", CUG 2014.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.meters._files import FileSource, FilesReader, Values, root_folder, try_sources
from harness.meters._sensing import NODE_POWER_MAX_W, check_options
from harness.plugins import Availability, Domain, DomainKind

ROOT_VARIABLE = "JOULEMARK_CRAY_ROOT"
_ROOT = "/sys/cray/pm_counters"

_ENERGY_FILE = re.compile(r"(?:(cpu|memory|accel)(\d*)_)?energy")
_VALUE = re.compile(rb"\s*(\d+)\s+(\w+)")

_UPDATE_S = 0.1
_GAIN = 0.05
"""No accuracy is published; this is the class of a node's board sensors."""

_POWER_MAX_W = {"node": NODE_POWER_MAX_W, "cpu": 2000.0, "dram": 1000.0, "gpu": 1500.0}
_KINDS: dict[str | None, DomainKind] = {
    None: "node",
    "cpu": "cpu",
    "memory": "dram",
    "accel": "gpu",
}


def parse_value(text: bytes, unit: str) -> float:
    """The value of a file in joules or watts.

    Raises:
        ValueError: the text is not a number followed by `unit`.
    """
    match = _VALUE.match(text)
    if match is None or match[2].decode("ascii", "replace") != unit:
        raise ValueError(f"{text[:40]!r} is not a number of {unit}")
    return float(match[1])


def _values(texts: Sequence[bytes]) -> Values:
    return parse_value(texts[0], "J"), parse_value(texts[1], "W") if len(texts) > 1 else None


def sources(root: Path) -> list[FileSource]:
    """The counters below `root`, the node first."""
    matches = {path: match for path in sorted(root.glob("*energy"))
               if (match := _ENERGY_FILE.fullmatch(path.name))}  # fmt: skip
    whole = ("node-cray",) if root / "energy" in matches else ()
    counters = [_source(path, match, whole) for path, match in matches.items()]
    return sorted(counters, key=lambda source: source.domain.kind != "node")


def _source(path: Path, match: re.Match[str], whole: tuple[str, ...]) -> FileSource:
    kind, power = _KINDS[match[1]], path.with_name(path.name.replace("energy", "power"))
    domain = Domain(
        name=f"{kind}-cray{f'-{match[2]}' if match[2] else ''}",
        kind=kind,
        method="counter",
        meter="cray",
        source=str(path),
        parents=() if kind == "node" else whole,
        resolution_j=1.0,
        resolution_w=1.0,
        update_period_s=_UPDATE_S,
        power_low_w=0.0,
        power_high_w=_POWER_MAX_W[kind],
        gain_error_ratio=_GAIN,
    )
    return FileSource(domain, (path, power) if power.exists() else (path,), _values)


class CrayMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("node", "cpu", "dram", "gpu")

    def probe(self) -> Availability:
        """Look for the counters and read one."""
        root = root_folder({}, ROOT_VARIABLE, _ROOT)
        return try_sources(sources(root), f"{root} has no energy counter")

    def open(self, options: Mapping[str, str]) -> FilesReader:
        """Open every counter; option `root`: folder of the files."""
        check_options("cray", options, ("root",))
        root = root_folder(options, ROOT_VARIABLE, _ROOT)
        there = sources(root)
        if not there:
            raise OSError(f"{root} has no energy counter")
        return FilesReader(there)


METER = CrayMeter()
