"""turbostat's table: joules (`--Joules`) or watts of each interval, of its summary rows.

Watts need the length of each interval: from `Time_Of_Day_Seconds`, or from the line `5.003 sec`
above the one table of a command that turbostat ran. Its column `usec` is no length: it tells how
long reading the counters took. Without lengths mean watts are told and no joules. Cores lie inside
the package and the graphics too, and all of it inside the system's own sensor, so the total adds
package and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, number, shown
from harness.records import Finding, ImportedRun

EXPECTED = "the output of turbostat --Joules, or with Time_Of_Day_Seconds"
WATTS = {
    "PkgWatt": "cpu-package",
    "CorWatt": "cpu-cores",
    "GFXWatt": "igpu",
    "RAMWatt": "dram",
    "SysWatt": "node",
}
JOULES = {
    "Pkg_J": "cpu-package",
    "Cor_J": "cpu-cores",
    "GFX_J": "igpu",
    "RAM_J": "dram",
    "Sys_J": "node",
}
PLACES = ("Package", "Node", "Die", "Core", "CPU")
"""Columns that hold a dash in the summary of all."""

CLOCK = "Time_Of_Day_Seconds"
LENGTH = re.compile(r"(\d+[.,]\d+) sec")
"""The line above the table of `turbostat COMMAND`."""
ADDED = ("cpu-package", "dram")
SPLIT = re.compile(r"[\t,;]|\s+")
JOINT = re.compile(r"(?<=[^\s,;])(?=Any%C0|GFX%C0|CPUGFX%|Pkg%pc2|RAMWatt|RAM_J)")
"""Where versions of turbostat before 2017 forgot the mark between two names ..."""

PAIR = re.compile(r"(?:\d+\.\d\d){2,}")
"""... and between two figures, as in `261.67100.52`."""

FIGURE = re.compile(r"\d+\.\d\d")


class _Interval(NamedTuple):
    """One summary row."""

    end_s: float | None
    length_s: float | None
    values: dict[str, float]
    """Watts or joules by column."""


def _is_header(fields: list[str]) -> bool:
    return any(name in fields for name in (*WATTS, *JOULES))


def _fields(line: str) -> list[str]:
    fields = [field for field in SPLIT.split(JOINT.sub("\t", line.strip())) if field]
    return [
        part
        for field in fields
        for part in (FIGURE.findall(field) if PAIR.fullmatch(field) else [field])
    ]


def _interval(names: list[str], fields: list[str], length_s: float | None) -> _Interval | None:
    """A row of the summary; None for one of a single processor, which may be shorter.

    Raises:
        ValueError: a figure is no number, or some are not there.
    """
    row = dict(zip(names, fields, strict=False))
    places = [row[name] for name in PLACES if name in row]
    if places and any(place != "-" for place in places):
        return None
    if len(fields) != len(names):
        raise ValueError(f"{len(fields)} fields, {len(names)} named")
    values = {}
    for name in (*WATTS, *JOULES):
        if name in row:
            value = number(row[name])
            if value is None:
                raise ValueError(f"{name} is {shown(row[name])}")
            values[name] = value
    return _Interval(number(row.get(CLOCK, "")), length_s, values)


def _lost(names: list[str], fields: list[str]) -> _Interval | None:
    """A row without figures, whose clock still ends the interval; None where that is cut too."""
    end_s = number(dict(zip(names, fields, strict=False)).get(CLOCK, ""))
    return None if end_s is None or len(fields) != len(names) else _Interval(end_s, None, {})


def _intervals(text: Text) -> Iterator[_Interval | Finding]:
    names: list[str] = []
    length_s: float | None = None
    for line_number, line in enumerate(text.lines, 1):
        fields = _fields(line)
        if _is_header(fields):
            names = fields
        elif stated := LENGTH.fullmatch(line.strip()):
            length_s = number(stated[1])
        elif names and fields:
            try:
                found = _interval(names, fields, length_s)
            except ValueError as error:
                message = f"{text.path}, line {line_number}: left out: {error}"
                yield complaint("turbostat-row", message)
                found = _lost(names, fields)
            if found is not None:
                length_s = None
                yield found


def _lengths(rows: list[_Interval]) -> list[float | None]:
    """Seconds of each interval: as stated, or by the clock; the first one's is the second one's."""
    ends = [row.end_s for row in rows]
    known = [b - a if a is not None and b is not None else None for a, b in pairwise(ends)]
    clocked = [known[0], *known] if known else [None]
    stated = [row.length_s for row in rows]
    return [b if a is None else a for a, b in zip(stated, clocked, strict=True)]


def _joules(rows: list[_Interval], lengths: list[float | None]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for row, length_s in zip(rows, lengths, strict=True):
        for name, value in row.values.items():
            if name in JOULES:
                found[JOULES[name]] += value
            elif not set(row.values) & set(JOULES) and length_s is not None:
                found[WATTS[name]] += value * length_s
    return dict(found)


def _mean_w(rows: list[_Interval]) -> dict[str, float]:
    """Mean power by domain: all that watts without a length come to."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.values.items():
            if name in WATTS:
                found[WATTS[name]].append(value)
    return {f"{name}_mean_w": sum(item) / len(item) for name, item in found.items()}


def _told(
    text: Text, rows: list[_Interval], joules: dict[str, float], known: list[float]
) -> Iterator[Finding]:
    if not joules:
        message = (
            f"{text.path}: watts without the length of an interval, so no joules; record with "
            "--Joules or --show Time_Of_Day_Seconds"
        )
        yield complaint("turbostat-length", message)
    elif len(known) < len(rows) and not any(set(row.values) & set(JOULES) for row in rows):
        message = (
            f"{text.path}: {len(rows) - len(known)} intervals have no length: not in the joules"
        )
        yield complaint("turbostat-length", message)
    if any(item <= 0 for item in known):
        message = f"{text.path}: the clock stands still or runs back between two rows"
        yield complaint("turbostat-order", message)


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    rows: list[_Interval] = []
    findings: list[Finding] = []
    for found in _intervals(text):
        findings.append(found) if isinstance(found, Finding) else rows.append(found)
    if not rows:
        raise TextError(f"{text.path}: no summary row with PkgWatt or Pkg_J")
    lengths = _lengths(rows)
    joules = _joules(rows, lengths)
    known = [length for length in lengths if length is not None]
    total = [value for domain, value in joules.items() if domain in ADDED]
    yield recording(
        text,
        folder,
        "turbostat",
        time_s=sum(known) if len(known) == len(rows) else None,
        energy_by_method_j={"window": sum(total)} if total else {},
        energy_by_domain_j=joules,
        energy_kind="counter" if joules else None,
        facts={"scope": "cpu", "intervals_count": len(rows)} | _mean_w(rows),
        findings=(*findings, *_told(text, rows, joules, known)),
    )


def read(path: Path) -> Archive:
    """Read one file, or every `*.txt`, `*.tsv`, `*.csv`, `*.log` and `*.out` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    patterns = ("*.txt", "*.tsv", "*.csv", "*.log", "*.out")
    return read_files(path, patterns, EXPECTED, _read_file)


FORMAT = Format(name="turbostat", title="turbostat's tables", read=read)
