"""MLPerf's log lines: a token anywhere in a line, then one JSON object that ends with the line.

Real logs differ in separators, in prefixes as `0: `, in `metadata` that is an empty string and in
values that are strings; only `time_ms`, `key`, `value` and `metadata` are looked at, as MLPerf's
own parser does. Text after the object breaks the line there and here. Round 0.6 wrote seconds and
key before an object with value and metadata; round 0.5, which is not read, had another form.
"""

import json
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.formats.text import number, shown
from harness.records import Finding

TOKEN = ":::MLLOG "  # noqa: S105 - it marks a line
ROUND_06_LINE = re.compile(r":::MLL ([\d.]+) (\w+) ?:\s+(.+)")
"""A line of round 0.6: seconds, key, object."""

OLD_TOKEN = re.compile(r":::MLPv0\.[5-9]")
DECODE = json.JSONDecoder().decode
READING = re.compile(
    r'\{"namespace":\s*"[^"\\]*",\s*"time_ms":\s*(\d+),\s*"event_type":\s*"[^"\\]*",\s*'
    r'"key":\s*"(power_reading)",\s*"value":\s*(\d+(?:\.\d+)?),\s*'
    r'"metadata":\s*(?:""|\{[^{}\\]*\})\}\s*'
)
"""The line of which power logs consist, as MLPerf's writer orders it; JSON takes thrice as long."""

KEY = re.compile(r'"key"\s*:\s*"([^"]*)"')


class Line(NamedTuple):
    """One logged event."""

    number: int
    """Line in the file, from 1."""
    time_ms: float
    key: str
    value: Any
    metadata: dict[str, Any]


class Log(NamedTuple):
    """The events of a file."""

    lines: list[Line]
    findings: list[Finding]


def _line(line_number: int, text: str) -> Line:
    """One line's object.

    Raises:
        ValueError: it is no object with a time and a key.
    """
    found = DECODE(text)
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        raise ValueError("no object with a key")  # noqa: TRY004 - one kind of error for all bad lines
    time_ms = as_number(found.get("time_ms"))
    if time_ms is None:
        raise ValueError(f"time_ms is {shown(str(found.get('time_ms')))}")
    metadata = found.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    return Line(line_number, time_ms, found["key"], found.get("value"), known)


def _of_round_06(lines: list[str], wanted: Collection[str] | None, broken: list[str]) -> list[Line]:
    """Events of a log of round 0.6."""
    found: list[Line] = []
    for line_number, line in enumerate(lines, 1):
        match = ROUND_06_LINE.search(line)
        if match is None or (wanted is not None and match[2] not in wanted):
            continue
        try:
            time_ms = float(match[1]) * 1000
            said = DECODE(match[3])
            metadata = said.get("metadata")
        except (ValueError, RecursionError, AttributeError) as error:
            broken.append(f"line {line_number}: {error}")
            continue
        known = metadata if isinstance(metadata, dict) else {}
        found.append(Line(line_number, time_ms, match[2], said.get("value"), known))
    return found


def _found(lines: list[str], wanted: Collection[str] | None, broken: list[str]) -> Iterator[Line]:
    """Events of the lines that matter; what has no readable key matters."""
    for line_number, line in enumerate(lines, 1):
        at = line.rfind(TOKEN)
        if at < 0:
            continue
        reading = READING.fullmatch(line, at + len(TOKEN))
        if reading is not None:
            yield Line(line_number, float(reading[1]), reading[2], float(reading[3]), {})
            continue
        if wanted is not None:
            key = KEY.search(line, at)
            if key is not None and key[1] not in wanted:
                continue
        try:
            yield _line(line_number, line[at + len(TOKEN) :])
        except (ValueError, RecursionError) as error:
            broken.append(f"line {line_number}: {error}")


def parse_log(path: Path, lines: list[str], wanted: Collection[str] | None = None) -> Log:
    """All events, or those of the wanted keys; broken lines become one finding.

    Args:
        path: For messages.
        lines: Of the file.
        wanted: Keys to look at; other lines are not even checked.
    """
    broken: list[str] = []
    found = list(_found(lines, wanted, broken)) or _of_round_06(lines, wanted, broken)
    findings = [_broken(path, broken)] if broken else []
    if not found and not broken and any(map(OLD_TOKEN.search, lines[:200])):
        message = f"{path}: written in the format of round 0.5, which is not read"
        findings.append(Finding(rule="mlperf-old-log", level="warn", message=message))
    return Log(found, findings)


def _broken(path: Path, broken: list[str]) -> Finding:
    more = f" (and {len(broken) - 1} further lines)" if len(broken) > 1 else ""
    message = f"{path}, {broken[0]}{more}: left out"
    return Finding(rule="mlperf-broken-line", level="warn", message=message)


def as_number(value: Any) -> float | None:
    """A value as a finite number; strings that hold one count, as do those of other locales."""
    kind = type(value)
    if kind is float or kind is int:
        return float(value) if math.isfinite(value) else None
    return number(value) if kind is str else None
