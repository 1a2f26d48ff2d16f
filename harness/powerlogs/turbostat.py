"""turbostat's table: joules (`--Joules`) or watts of each interval, from its summary rows.

Watts need the length of the interval: from `Time_Of_Day_Seconds`, or from the line `5.003 sec`
above the only table of a command that turbostat ran. The column `usec` is no length: it is the time
that reading the counters took. Without lengths the importer keeps mean watts and no joules. Cores
and graphics are parts of the package, and the system's own sensor covers all of it, so the total
adds package and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, timezone
from typing import TYPE_CHECKING, NamedTuple

from harness.clock import NS_PER_S
from harness.formats.format import make_finding
from harness.formats.text import Text, TextError, number, shown
from harness.plugins import Reading
from harness.powerlogs.log import (
    Accumulator,
    LineError,
    LogParser,
    by_domain,
    energies,
    joules_of,
    parse,
    power_log,
)

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EXPECTED = "the output of turbostat --Joules, or with Time_Of_Day_Seconds"
DOMAINS = {"Pkg": "cpu-package", "Cor": "cpu-cores", "GFX": "igpu", "RAM": "dram", "Sys": "node"}
WATTS = {f"{name}Watt": domain for name, domain in DOMAINS.items()}
JOULES = {f"{name}_J": domain for name, domain in DOMAINS.items()}
ADDED = ("cpu-package", "dram")

PLACES = ("Package", "Node", "Die", "Core", "CPU")
"""Columns that hold a dash in the summary of all processors."""

CLOCK = "Time_Of_Day_Seconds"
LENGTH = re.compile(r"(\d+[.,]\d+) sec")
"""The line above the table of `turbostat COMMAND`."""

SPLIT = re.compile(r"[\t,;]|\s+")
JOINT = re.compile(r"(?<=[^\s,;])(?=Any%C0|GFX%C0|CPUGFX%|Pkg%pc2|RAMWatt|RAM_J)")
"""Where versions of turbostat before 2017 omitted the separator between two names ..."""

PAIR = re.compile(r"(?:\d+\.\d\d){2,}")
"""... and between two figures, as in `261.67100.52`."""

FIGURE = re.compile(r"\d+\.\d\d")


class TurbostatRow(NamedTuple):
    """One summary row."""

    end_s: float | None
    values: dict[str, float]
    """Watts or joules by column."""

    @property
    def has_joules(self) -> bool:
        """Whether the row states joules, so that its length is not needed."""
        return bool(self.values.keys() & JOULES.keys())


def _fields(line: str) -> list[str]:
    fields = [field for field in SPLIT.split(JOINT.sub("\t", line.strip())) if field]
    return [
        part
        for field in fields
        for part in (FIGURE.findall(field) if PAIR.fullmatch(field) else [field])
    ]


class TurbostatParser(LogParser):
    """Lines of turbostat; domains are `cpu-package`, `cpu-cores`, `igpu`, `dram` and `node`.

    The first interval is as long as the second one, whose length is known from the clock.
    """

    method = "counter"

    def __init__(self, zone: timezone | None = UTC) -> None:
        super().__init__(zone)
        self._names: list[str] = []
        self._stated_s: float | None = None
        self._end_s: float | None = None
        self._waiting: TurbostatRow | None = None
        self._held: list[Reading] = []
        self._counters = Accumulator()
        self.lengths_s: list[float | None] = []
        """Length of each interval; None where it is unknown."""
        self.without_joules_count = 0
        """Intervals of watts without a length."""
        self.watts: dict[str, list[float]] = defaultdict(list)
        """Watts of each interval by domain."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line is turbostat's header."""
        return any({*WATTS, *JOULES} & set(_fields(line)) for line in lines)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: readings end with the interval of a summary row."""
        fields = _fields(line)
        if {*WATTS, *JOULES} & set(fields):
            self._names = fields
            return []
        if stated := LENGTH.fullmatch(line.strip()):
            self._stated_s = number(stated[1])
            return []
        if not self._names or not fields:
            return []
        row = dict(zip(self._names, fields, strict=False))
        if any(row.get(name, "-") != "-" for name in PLACES):
            return []  # a single processor
        end_s = number(row.get(CLOCK, ""))
        if len(fields) != len(self._names):
            raise LineError(f"{len(fields)} fields, {len(self._names)} named")
        values = {name: number(row[name]) for name in (*WATTS, *JOULES) if name in row}
        bad = next((name for name, value in values.items() if value is None), None)
        if bad is None:
            interval = TurbostatRow(end_s, {name: value or 0.0 for name, value in values.items()})
            return self._advance(interval)
        if end_s is not None:
            self._held = self._advance(TurbostatRow(end_s, {}))
        raise LineError(f"{bad} is {shown(row[bad])}")

    def _advance(self, interval: TurbostatRow) -> list[Reading]:
        stated_s, self._stated_s = self._stated_s, None
        before_s, self._end_s = self._end_s, interval.end_s
        clocked_s = None
        if interval.end_s is not None and before_s is not None:
            clocked_s = interval.end_s - before_s
        readings, self._held = self._held, []
        if self._waiting is not None:
            readings += self._close(self._waiting, clocked_s)
            self._waiting = None
        elif stated_s is None and not self.lengths_s:
            self._waiting = interval
            return []
        length_s = clocked_s if stated_s is None else stated_s
        return readings + self._close(interval, length_s)

    def _close(self, interval: TurbostatRow, length_s: float | None) -> list[Reading]:
        self.lengths_s.append(length_s)
        for name, value in interval.values.items():
            if name in WATTS:
                self.watts[WATTS[name]].append(value)
        if interval.has_joules:
            joules = {JOULES[name]: v for name, v in interval.values.items() if name in JOULES}
        else:
            joules = {WATTS[name]: v * (length_s or 0.0) for name, v in interval.values.items()}
            if length_s is None:
                self.without_joules_count += 1
                return []
        end_ns = (self.near_ns or 0) if interval.end_s is None else round(interval.end_s * NS_PER_S)
        start_ns = end_ns - round((length_s or 0.0) * NS_PER_S)
        return [
            reading
            for domain, value in joules.items()
            for reading in self._counters.add(domain, value, start_ns, end_ns)
        ]

    def finish(self) -> list[Reading]:
        """Close the first interval of a log that has only one, of unknown length."""
        waiting, self._waiting = self._waiting, None
        return self._held + ([] if waiting is None else self._close(waiting, None))


def _check(text: Text, parser: TurbostatParser, *, has_joules: bool) -> "Iterator[Finding]":
    if not has_joules:
        message = f"{text.path}: watts without the length of an interval, so no joules"
        advice = "record with --Joules or --show Time_Of_Day_Seconds"
        yield make_finding("turbostat-length", f"{message}; {advice}")
    elif parser.without_joules_count:
        count = parser.without_joules_count
        message = f"{text.path}: {count} intervals have no length: not in the joules"
        yield make_finding("turbostat-length", message)
    if any(length_s is not None and length_s <= 0 for length_s in parser.lengths_s):
        message = f"{text.path}: the clock does not advance, or goes back, between two rows"
        yield make_finding("turbostat-order", message)


def _read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
    from harness.formats.files import recording

    parser = TurbostatParser()
    readings, findings = parse(text, parser, "turbostat-row")
    if not parser.lengths_s:
        yield from findings
        raise TextError(f"{text.path}: no summary row with PkgWatt or Pkg_J")
    domains = by_domain(readings)
    lengths_s = [length_s for length_s in parser.lengths_s if length_s is not None]
    joules = energies({domain: joules_of(own) for domain, own in domains.items()}, ADDED)
    means = {f"{domain}_mean_w": sum(w) / len(w) for domain, w in parser.watts.items()}
    yield recording(
        text,
        folder,
        "turbostat",
        **joules,
        time_s=sum(lengths_s) if len(lengths_s) == len(parser.lengths_s) else None,
        energy_kind="counter" if domains else None,
        facts={"scope": "cpu", "intervals_count": len(parser.lengths_s)} | means,
        findings=(*findings, *_check(text, parser, has_joules=bool(domains))),
    )


FORMAT = power_log(
    "turbostat",
    "turbostat's tables",
    ("*.txt", "*.tsv", "*.csv", "*.log", "*.out"),
    EXPECTED,
    _read_file,
)
