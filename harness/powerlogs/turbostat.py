"""turbostat's table: joules (`--Joules`) or watts of each interval, from its summary rows.

Watts need the length of the interval: from `Time_Of_Day_Seconds`, or from the line `5.003 sec`
above the only table of a command that turbostat ran. The column `usec` is no length: it is the time
that reading the counters took. Without lengths the importer keeps mean watts and no joules. Cores
and graphics are parts of the package, and the system's own sensor covers all of it, so the total
adds package and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, timezone
from typing import Any, NamedTuple

from harness.clock import NS_PER_S
from harness.formats.text import Text, number, shown
from harness.meters._sensing import DRAM_GAIN, PACKAGE_GAIN
from harness.plugins import Reading
from harness.powerlogs.log import Accumulator, LineError, LogParser, power_log

DOMAINS = {"Pkg": "cpu-package", "Cor": "cpu-cores", "GFX": "igpu", "RAM": "dram", "Sys": "node"}
WATTS = {f"{name}Watt": domain for name, domain in DOMAINS.items()}
JOULES = {f"{name}_J": domain for name, domain in DOMAINS.items()}

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
    expected = "the output of turbostat --Joules, or with Time_Of_Day_Seconds"
    scope = "cpu"
    added = ("cpu-package", "dram")

    def __init__(self, zone: timezone | None = UTC) -> None:
        super().__init__(zone)
        self._names: list[str] = []
        self._stated_s: float | None = None
        self._end_s: float | None = None
        self._waiting: TurbostatRow | None = None
        self._held: list[Reading] = []
        self._elapsed_ns = 0
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
        end_ns = self._end_ns(interval, length_s)
        start_ns = end_ns - round((length_s or 1.0) * NS_PER_S)
        return [
            reading
            for domain, value in joules.items()
            for reading in self._counters.add(domain, value, start_ns, end_ns)
        ]

    def _end_ns(self, interval: TurbostatRow, length_s: float | None) -> int:
        """When an interval ended: by its clock, by its arrival, or after those before it."""
        if interval.end_s is not None:
            return round(interval.end_s * NS_PER_S)
        if self.near_ns is not None:
            return self.near_ns
        self.untimed_count += length_s is None
        self._elapsed_ns += round((length_s or 1.0) * NS_PER_S)
        return self._elapsed_ns

    def finish(self) -> list[Reading]:
        """Close the first interval of a log that has only one, of unknown length."""
        waiting, self._waiting = self._waiting, None
        readings = self._held + ([] if waiting is None else self._close(waiting, None))
        count, advice = self.without_joules_count, "record with --Joules or Time_Of_Day_Seconds"
        if count and count == len(self.lengths_s):
            text = f"watts without the length of an interval, so no joules; {advice}"
            self.notes.append(("length", text))
        elif count:
            self.notes.append(("length", f"{count} intervals have no length: not in the joules"))
        if any(length_s is not None and length_s <= 0 for length_s in self.lengths_s):
            text = "the clock does not advance, or goes back, between two rows"
            self.notes.append(("order", text))
        return readings

    def sensor(self, domain: str) -> dict[str, Any]:
        """The classes of RAPL."""
        return {"gain_error_ratio": DRAM_GAIN if domain == "dram" else PACKAGE_GAIN}

    def runs(self, readings: Sequence[Reading]) -> dict[str, Sequence[Reading]]:
        """A run also where the rows have no joules."""
        return {"": readings} if self.lengths_s else {}

    def duration_s(self, text: Text) -> float | None:
        """The sum of the intervals; None where the length of one is unknown."""
        del text
        known = [length_s for length_s in self.lengths_s if length_s is not None]
        return sum(known) if known and len(known) == len(self.lengths_s) else None

    def facts(self, run: str) -> dict[str, Any]:
        """Mean watts of each domain, where the rows state watts."""
        del run
        means = {f"{domain}_mean_w": sum(w) / len(w) for domain, w in self.watts.items()}
        return {"intervals_count": len(self.lengths_s)} | means


FORMAT = power_log(
    "turbostat",
    "turbostat's tables",
    ("*.txt", "*.tsv", "*.csv", "*.log", "*.out"),
    TurbostatParser,
)
