"""`perf stat -I MS -x SEP -e power/energy-pkg/,...`: joules of each interval, by event and socket.

perf quotes nothing: with `-x,` a locale's decimal comma splits each figure, which is put together
again by its digits (nine of the time, two of the joules). Without `-x` the fields are columns
between blanks, and thousands are grouped as the locale does. The event's place in a line
tells where value and unit are, with or without interval and socket; a summary below the intervals
is not added to them.
`energy-psys` contains the package and `energy-cores` and `energy-gpu` lie in it: the total adds
packages and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, number, shown
from harness.records import Finding, ImportedRun

EXPECTED = "the output of perf stat -I MS -x ';' -e power/energy-pkg/,power/energy-ram/"
EVENT = re.compile(r"(?:power/)?energy-(pkg|ram|psys|cores|gpu)/?\w*")
DOMAINS = {"pkg": "cpu-package", "ram": "dram", "psys": "node", "cores": "cpu-cores", "gpu": "igpu"}
ADDED = ("cpu-package", "dram")
SOCKET = re.compile(r"S\d+(?:-D\d+)?|N\d+")
UNITS = {"joules": 1.0, "j": 1.0, "millijoules": 1e-3, "mj": 1e-3}
SEPARATORS = (";", "\t", "|", ",")
SPLIT_TIME = re.compile(r"^(\s*\d+),(\d{9})(?=,)")
SPLIT_VALUE = re.compile(r"(\d),(\d\d)(?=,Joules,)")
BLANKS = re.compile(r"[ \t]+")
ELAPSED = re.compile(r"\s*(\d+[.,]\d+) seconds time elapsed")
GROUPED = re.compile(r"\d{1,3}([.,\u00a0\u202f'])\d{3}(?:\1\d{3})*[.,]\d\d")
"""A figure of joules as perf writes it for people: `1,024.68`."""


class _Count(NamedTuple):
    """One line."""

    time_s: float | None
    """None without `-I`."""
    domain: str
    joules: float


def _has_event(fields: Iterable[str]) -> bool:
    return any(EVENT.fullmatch(field.strip()) for field in fields)


def _separator(text: Text) -> str | None:
    """The separator of the first line with an event; None: blanks.

    Raises:
        TextError: there is none.
    """
    for line in text.lines:
        if EVENT.search(line):
            return next((mark for mark in SEPARATORS if _has_event(line.split(mark))), None)
    raise TextError(f"{text.path}: no event energy-pkg, energy-ram or energy-psys")


def _fields(line: str, separator: str | None) -> list[str]:
    if separator == "," and "." not in line:
        line = SPLIT_VALUE.sub(r"\1.\2", SPLIT_TIME.sub(r"\1.\2", line))
    # Only blanks part columns: a narrow one may group the thousands of a figure.
    parts = line.split(separator) if separator else BLANKS.split(line.strip(" \t"))
    return [field.strip() for field in parts]


def _joules(field: str, separator: str | None) -> float | None:
    if separator is None and (found := GROUPED.fullmatch(field)):
        field = field.replace(found[1], "")
    return number(field)


def _count(line: str, separator: str | None) -> _Count:
    """One interval of one event.

    Raises:
        ValueError: why it says nothing.
    """
    fields = _fields(line, separator)
    place = next(i for i, field in enumerate(fields) if EVENT.fullmatch(field))
    found = EVENT.fullmatch(fields[place])
    if place < 2 or found is None:  # noqa: PLR2004 - value and unit stand before
        raise ValueError("no value and unit before the event")
    value = _joules(fields[place - 2], separator)
    factor = UNITS.get(fields[place - 1].lower())
    if value is None or factor is None:
        raise ValueError(shown(fields[place - 2]))
    head = fields[: place - 2]
    socket = next((field for field in head if SOCKET.fullmatch(field)), "")
    domain = DOMAINS[found[1]] + (f"-{socket}" if socket else "")
    time_s = number(head[0]) if head and not SOCKET.fullmatch(head[0]) else None
    return _Count(time_s, domain, value * factor)


def _counts(text: Text, separator: str | None) -> Iterator[_Count | Finding]:
    for line_number, line in enumerate(text.lines, 1):
        if line.lstrip().startswith("#") or not EVENT.search(line):
            continue
        try:
            yield _count(line, separator)
        except (ValueError, StopIteration) as error:
            message = f"{text.path}, line {line_number}: left out: no joules: {error}"
            yield complaint("perf-row", message)


def _elapsed_s(text: Text) -> float | None:
    """Seconds below a summary for people."""
    return next((number(found[1]) for line in text.lines if (found := ELAPSED.match(line))), None)


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    counts: list[_Count] = []
    findings: list[Finding] = []
    for found in _counts(text, _separator(text)):
        findings.append(found) if isinstance(found, Finding) else counts.append(found)
    timed = [count for count in counts if count.time_s is not None]
    if timed and len(timed) < len(counts):
        message = f"{text.path}: {len(counts) - len(timed)} lines without a time, as perf's summary"
        findings.append(complaint("perf-summary", f"{message}, are not added", "info"))
    joules: dict[str, float] = defaultdict(float)
    for item in timed or counts:
        joules[item.domain] += item.joules
    times = [item.time_s for item in timed if item.time_s is not None]
    if not joules:
        raise TextError(f"{text.path}: no joules: {findings[0].message if findings else 'no line'}")
    if times != sorted(times):
        message = f"{text.path}: intervals are out of order, or two recordings lie in one file"
        findings.append(complaint("perf-order", message))
    total = [value for domain, value in joules.items() if domain.startswith(ADDED)]
    yield recording(
        text,
        folder,
        "perf-stat",
        time_s=max(times) if times else _elapsed_s(text),
        energy_by_method_j={"window": sum(total)} if total else {},
        energy_by_domain_j=dict(joules),
        energy_kind="counter",
        facts={"scope": "cpu"},
        findings=tuple(findings),
    )


def read(path: Path) -> Archive:
    """Read one file, or every `*.csv`, `*.txt` and `*.perf` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("*.csv", "*.txt", "*.perf"), EXPECTED, _read_file)


FORMAT = Format(name="perf-stat", title="perf stat's energy events", read=read)
