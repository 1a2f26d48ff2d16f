"""turbostat's table: joules (`--Joules`) or watts of each interval, of its summary rows.

Watts need the length of each interval: from `Time_Of_Day_Seconds` or `usec`. Cores lie inside the
package and the graphics too, so the total adds package and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.formats._files import read_files, recording
from harness.formats._format import Archive, Format, complaint
from harness.formats._text import Text, TextError, number, shown
from harness.records import Finding, ImportedRun

EXPECTED = "the output of turbostat --Joules, or with Time_Of_Day_Seconds"
WATTS = {"PkgWatt": "cpu-package", "CorWatt": "cpu-cores", "GFXWatt": "igpu", "RAMWatt": "dram"}
JOULES = {"Pkg_J": "cpu-package", "Cor_J": "cpu-cores", "GFX_J": "igpu", "RAM_J": "dram"}
PLACES = ("Package", "Node", "Die", "Core", "CPU")
"""Columns that hold a dash in the summary of all."""

CLOCK = "Time_Of_Day_Seconds"
LENGTH = "usec"
ADDED = ("cpu-package", "dram")
SPLIT = re.compile(r"[\t,;]|\s+")


class _Interval(NamedTuple):
    """One summary row."""

    end_s: float | None
    length_s: float | None
    values: dict[str, float]
    """Watts or joules by column."""


def _is_header(fields: list[str]) -> bool:
    return any(name in fields for name in (*WATTS, *JOULES))


def _fields(line: str) -> list[str]:
    return [field for field in SPLIT.split(line.strip()) if field]


def _interval(row: Mapping[str, str]) -> _Interval | None:
    """A row of the summary; None for one of a single processor.

    Raises:
        ValueError: a figure is no number.
    """
    places = [row[name] for name in PLACES if name in row]
    if places and any(each != "-" for each in places):
        return None
    values = {}
    for name in (*WATTS, *JOULES):
        if name in row:
            value = number(row[name])
            if value is None:
                message = f"{name} is {shown(row[name])}"
                raise ValueError(message)
            values[name] = value
    usec = number(row.get(LENGTH, ""))
    return _Interval(number(row.get(CLOCK, "")), None if usec is None else usec / 1e6, values)


def _intervals(text: Text) -> Iterator[_Interval | Finding]:
    names: list[str] = []
    for line_number, line in enumerate(text.lines, 1):
        fields = _fields(line)
        if _is_header(fields):
            names = fields
        elif names and fields:
            try:
                found = _interval(dict(zip(names, fields, strict=True)))
            except ValueError as error:
                message = f"{text.path}, line {line_number}: left out: {error}"
                yield complaint("turbostat-row", message)
                continue
            if found is not None:
                yield found


def _lengths(rows: list[_Interval]) -> list[float | None]:
    """Seconds of each interval; the first one's is that of the second."""
    if all(row.length_s is not None for row in rows):
        return [row.length_s for row in rows]
    ends = [row.end_s for row in rows]
    known = [b - a if a is not None and b is not None else None for a, b in pairwise(ends)]
    return [known[0], *known] if known else [None]


def _joules(rows: list[_Interval], lengths: list[float | None]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for row, length_s in zip(rows, lengths, strict=True):
        for name, value in row.values.items():
            if name in JOULES:
                found[JOULES[name]] += value
            elif not set(row.values) & set(JOULES) and length_s is not None:
                found[WATTS[name]] += value * length_s
    return dict(found)


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    rows: list[_Interval] = []
    findings: list[Finding] = []
    for found in _intervals(text):
        findings.append(found) if isinstance(found, Finding) else rows.append(found)
    if not rows:
        message = f"{text.path}: no summary row with PkgWatt or Pkg_J"
        raise TextError(message)
    lengths = _lengths(rows)
    joules = _joules(rows, lengths)
    known = [each for each in lengths if each is not None]
    if not joules:
        message = f"{text.path}: watts without the length of an interval; record with --Joules"
        raise TextError(message)
    if any(each <= 0 for each in known):
        message = f"{text.path}: the clock stands still or runs back between two rows"
        findings.append(complaint("turbostat-order", message))
    total = [value for domain, value in joules.items() if domain in ADDED]
    yield recording(
        text,
        folder,
        "turbostat",
        time_s=sum(known) if len(known) == len(rows) else None,
        energy_by_method_j={"window": sum(total)} if total else {},
        energy_by_domain_j=joules,
        energy_kind="counter",
        facts={"scope": "cpu", "intervals_count": len(rows)},
        findings=tuple(findings),
    )


def read(path: Path) -> Archive:
    """Read one file, or every `*.txt`, `*.tsv`, `*.csv`, `*.log` and `*.out` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    patterns = ("*.txt", "*.tsv", "*.csv", "*.log", "*.out")
    return read_files(path, patterns, EXPECTED, _read_file)


FORMAT = Format(name="turbostat", title="turbostat's tables", read=read)
