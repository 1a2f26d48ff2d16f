"""MLPerf's log lines: a token anywhere in a line, then one JSON object that ends with the line.

Real logs differ in separators, in prefixes as `0: `, in `metadata` that is an empty string and in
values that are strings; only `time_ms`, `key`, `value` and `metadata` are read, as MLPerf's own
parser does. Text after the object breaks the line here and there. Round 0.6 wrote seconds and key
before an object with value and metadata; round 0.5 had another form, which is not read.
"""

import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.formats.format import make_finding
from harness.formats.text import number, shown
from harness.records import Finding

TOKEN = ":::MLLOG "  # noqa: S105 - it marks a line, and is no secret
ROUND_06_LINE = re.compile(r":::MLL ([\d.]+) (\w+) ?:\s+(.+)")
"""A line of round 0.6: seconds, key, object."""

OLD_TOKEN = re.compile(r":::MLPv0\.[5-9]")
READING = re.compile(
    r'\{"namespace":\s*"[^"\\]*",\s*"time_ms":\s*(\d+),\s*"event_type":\s*"[^"\\]*",\s*'
    r'"key":\s*"(power_reading)",\s*"value":\s*(\d+(?:\.\d+)?),\s*'
    r'"metadata":\s*(?:""|\{[^{}\\]*\})\}\s*'
)
"""The line that power logs consist of, as MLPerf's writer orders it; JSON takes three times as
long."""

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


def _parse_line(line_number: int, text: str) -> Line | None:
    """The event of a line; None for other output.

    Raises:
        ValueError: it has no object with a time and a key.
    """
    at = text.rfind(TOKEN)
    old = ROUND_06_LINE.search(text) if at < 0 else None
    if at < 0 and old is None:
        return None
    try:
        event = json.loads(old[3] if old else text[at + len(TOKEN) :])
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(event, dict):
        raise ValueError("no object")  # noqa: TRY004 - one kind of error for all bad lines
    key = old[2] if old else event.get("key")
    time_ms = float(old[1]) * 1000 if old else as_number(event.get("time_ms"))
    if not isinstance(key, str):
        raise ValueError("no object with a key")  # noqa: TRY004 - as above
    if time_ms is None:
        raise ValueError(f"time_ms is {shown(str(event.get('time_ms')))}")
    metadata = event.get("metadata")
    return Line(
        line_number,
        time_ms,
        key,
        event.get("value"),
        metadata if isinstance(metadata, dict) else {},
    )


def _is_wanted(text: str, wanted: Collection[str] | None) -> bool:
    """Whether a line may be about a wanted key; one without a readable key may."""
    old = ROUND_06_LINE.search(text)
    key = old[2] if old else (match[1] if (match := KEY.search(text)) else None)
    return wanted is None or key is None or key in wanted


def parse_log(path: Path, lines: Sequence[str], wanted: Collection[str] | None = None) -> Log:
    """All events, or those of the wanted keys; broken lines become one finding.

    Args:
        path: For messages.
        lines: Of the file.
        wanted: Keys to look at; other lines are not even checked.
    """
    events: list[Line] = []
    broken: list[str] = []
    for line_number, text in enumerate(lines, 1):
        at = text.rfind(TOKEN)
        if at >= 0 and (reading := READING.fullmatch(text, at + len(TOKEN))):
            events.append(Line(line_number, float(reading[1]), reading[2], float(reading[3]), {}))
            continue
        if ":::MLL" not in text or not _is_wanted(text, wanted):
            continue
        try:
            event = _parse_line(line_number, text)
        except ValueError as error:
            broken.append(f"line {line_number}: {error}")
        else:
            events += [event] if event else []
    findings = []
    if broken:
        more = f" (and {len(broken) - 1} further lines)" if len(broken) > 1 else ""
        message = f"{path}, {broken[0]}{more}: left out"
        findings.append(make_finding("mlperf-broken-line", message))
    elif not events and any(map(OLD_TOKEN.search, lines[:200])):
        message = f"{path}: written in the format of round 0.5, which is not read"
        findings.append(make_finding("mlperf-old-log", message))
    return Log(events, findings)


def as_number(value: Any) -> float | None:
    """A value as a finite number; strings that hold one count, also those of other locales."""
    if type(value) in (float, int):  # and not bool
        return float(value) if math.isfinite(value) else None
    return number(value) if isinstance(value, str) else None
