"""SPEC PTDaemon's `spl.txt`: readings of a power analyser; each mark is a run.

A label comes before its value (`Watts,22.95`). Channels repeat the labels after `Ch1`, `Ch2`; the
total, if there is one, comes before them and is not added to them. In dates the month comes first,
as MLPerf's checker reads them, unless some date of the file has no such month. The importer leaves
out readings of zero or less, as that checker does. `ranging` marks are trial runs that find the
ranges of the analyser. Notices and errors are not readings.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clock import NS_PER_S
from harness.formats.format import make_finding
from harness.formats.text import Text, TextError, number
from harness.plugins import Reading
from harness.powerlogs.log import (
    DAY_MONTH_YEAR,
    LineError,
    LogParser,
    energies,
    joules_of,
    parse,
    power_log,
    sort_by_time,
)

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EXPECTED = "an spl.txt of PTDaemon, or a folder of such"
NOTICE = re.compile(r"Time,[^,]*,(?:NOTICE|WARNING|ERROR)\b")
CHANNEL = re.compile(r"Ch\d+")
MONTHS = 12
UNMARKED = "notset"
"""What PTDaemon writes for a mark before one is set."""

ROOT = "results"
"""Folder of MLPerf that holds the folders of a system, a model and a scenario."""

DEPTH = 4
"""Folders from there to `performance`."""


class PtdaemonParser(LogParser):
    """Lines of an `spl.txt`; its domain is `wall`."""

    def __init__(self, zone: timezone | None = UTC, *, day_first: bool = False) -> None:
        super().__init__(zone)
        self.day_first = day_first
        self.marks: list[str] = []
        """Mark of each reading."""
        self.channels: dict[str, tuple[str, ...]] = {}
        """Channels of the first reading of each mark."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first line is a reading."""
        return lines[0].startswith("Time,") and "Watts" in lines[0].split(",")

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: watts of the total, else the sum over channels."""
        if not line.startswith("Time,") or NOTICE.match(line):
            return []
        fields = [field.strip() for field in line.split(",")]
        try:
            t_ns = self.time_ns(fields[1], day_first=self.day_first)
        except LineError as error:
            raise LineError(f"no time as MM-DD-YYYY HH:MM:SS.mmm: {error}") from error
        watts, mark = _labelled(fields[2:])
        if not watts:
            raise LineError("no number behind Watts")
        self.marks.append(mark)
        self.channels.setdefault(mark, tuple(sorted(filter(None, watts))))
        return [Reading(t_ns, "wall", None, watts.get("", math.fsum(watts.values())))]


def _labelled(fields: Sequence[str]) -> tuple[dict[str, float], str]:
    """Watts by channel, the total under an empty name, and the mark."""
    watts: dict[str, float] = {}
    channel, mark = "", ""
    for label, value, after in zip(fields, fields[1:], [*fields[2:], ""], strict=False):
        if CHANNEL.fullmatch(label):
            channel = label
        elif label == "Watts":
            if after.isdecimal():
                raise LineError(f"a decimal comma and commas between columns: {value},{after}")
            if (power := number(value)) is not None:
                watts[channel] = power
        elif label == "Mark" and value != UNMARKED:
            mark = value
    return watts, mark


def _names(path: Path, folder: str, mark: str) -> dict[str, str]:
    """Names of a run: MLPerf's folders state submitter, system, model and scenario."""
    parents = path.parent.parts
    for index in range(len(parents) - DEPTH, 0, -1):
        if parents[index] == ROOT and parents[index + DEPTH] == "performance":
            machine, model, scenario = parents[index + 1 : index + DEPTH]
            workload = f"{model}/{scenario}"
            return {"submission": parents[index - 1], "machine": machine, "workload": workload}
    return {"submission": folder, "workload": mark or path.stem}


def _run(
    text: Text, folder: str, mark: str, readings: Sequence[Reading], parser: PtdaemonParser
) -> "ImportedRun":
    from harness.formats.files import recording

    own = [reading for reading in readings if (reading.power_w or 0) > 0]
    findings = sort_by_time(text, "ptdaemon-order", own)
    if skipped := len(readings) - len(own):
        message = f"{text.path}: {skipped} readings of {mark or 'no mark'} are not above zero"
        findings.append(make_finding("ptdaemon-zero", message, "info"))
    joules = joules_of(own)
    watts = [reading.power_w or 0.0 for reading in own]
    return recording(
        text,
        folder,
        "ptdaemon",
        **energies({"wall": joules}),
        run=mark or text.path.stem,
        time_s=None if joules is None else (own[-1].t_ns - own[0].t_ns) / NS_PER_S,
        energy_kind=None if joules is None else "sampled",
        facts={
            "mean_w": sum(watts) / len(watts) if watts else None,
            "readings_count": len(own),
            "day_first": parser.day_first,
            "ranging": mark.endswith("_ranging"),
            "channels": ", ".join(parser.channels[mark]) or None,
        },
        findings=tuple(findings),
        **_names(text.path, folder, mark),
    )


def _is_day_first(lines: Sequence[str]) -> bool:
    """Whether the first number of some date can be no month."""
    stamps = (line.split(",")[1].strip() for line in lines if line.startswith("Time,"))
    return any((d := DAY_MONTH_YEAR.fullmatch(s)) and int(d[1]) > MONTHS for s in stamps)


def _read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
    parser = PtdaemonParser(day_first=_is_day_first(text.lines))
    readings, findings = parse(text, parser, "ptdaemon-row")
    yield from findings
    marks: dict[str, list[Reading]] = defaultdict(list)
    for reading, mark in zip(readings, parser.marks, strict=True):
        marks[mark].append(reading)
    if not marks:
        raise TextError(f"{text.path}: no line of the form Time,...,Watts,...")
    for mark, own in sorted(marks.items()):
        yield _run(text, folder, mark, own, parser)


FORMAT = power_log("ptdaemon", "SPEC PTDaemon's readings", ("spl*.txt",), EXPECTED, _read_file)
