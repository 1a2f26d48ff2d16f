"""What both meters do with a power log: find its parser and describe its domains."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timezone
from typing import Literal

from harness.plugins import Domain
from harness.powerlogs.log import LogParser
from harness.powerlogs.nvidia_smi_csv import NvidiaSmiParser
from harness.powerlogs.perf_stat import PerfParser
from harness.powerlogs.ptdaemon import PtdaemonParser
from harness.powerlogs.table import TableParser
from harness.powerlogs.turbostat import TurbostatParser

PARSERS = (PtdaemonParser, NvidiaSmiParser, PerfParser, TurbostatParser)

Kind = Literal["gpu", "cpu", "dram", "node", "wall"]
KINDS: dict[str, Kind] = {
    "gpu": "gpu", "igpu": "gpu", "cpu": "cpu", "dram": "dram", "wall": "wall",
}  # fmt: skip
"""What a domain covers, by the first word of its name; the others cover the node."""

PARENTS = {"cpu-cores": "cpu-package", "igpu": "cpu-package", "cpu-package": "node", "dram": "node"}
"""The domain whose joules contain those of another one, by name without a socket."""

SOCKET = re.compile(r"(-[SN]\d+(?:-D\d+)?)$")


def parser_for(
    lines: Sequence[str], zone: timezone | None = UTC, options: Mapping[str, str] | None = None
) -> LogParser:
    """The parser of a log by its first lines; a table with named columns where no other fits.

    Args:
        lines: Lines of the log, without blank ones; at least one.
        zone: Time zone of stamps that name none; None for this machine's zone.
        options: Names of a table's columns.
    """
    for parser in PARSERS:
        if parser.recognizes(lines):
            return parser(zone)
    return TableParser(zone, options)


def kind_of(domain: str) -> Kind:
    """What a domain covers, by its name."""
    return KINDS.get(domain.partition("-")[0], "node")


def parents_of(domain: str, domains: Iterable[str]) -> tuple[str, ...]:
    """The domains of a log that contain a domain, nearest first."""
    base, socket_part = SOCKET.sub("", domain), SOCKET.search(domain)
    socket = socket_part[1] if socket_part else ""
    parents = []
    while base in PARENTS:
        base = PARENTS[base]
        parents += [name for name in (base, base + socket) if name in domains]
    return tuple(dict.fromkeys(parents))


def describe_domain(name: str, *, has_energy: bool, **fields: object) -> Domain:
    """The description of a domain; fields that are given come before those that are derived."""
    derived = {"kind": kind_of(name), "method": "counter" if has_energy else "sampled"}
    return Domain(**(derived | fields | {"name": name}))  # type: ignore[arg-type]
