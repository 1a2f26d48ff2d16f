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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.formats.text import number
from harness.plugins import Reading
from harness.powerlogs.log import DAY_MONTH_YEAR, LineError, LogParser, power_log

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

    expected = "an spl.txt of PTDaemon"
    scope = "wall"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.day_first = False
        self.marks: list[str] = []
        """Mark of each reading."""
        self.channels: dict[str, tuple[str, ...]] = {}
        """Channels of the first reading of each mark."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first line is a reading."""
        return lines[0].startswith("Time,") and "Watts" in lines[0].split(",")

    def prepare(self, lines: Sequence[str]) -> None:
        """Find the order of day and month: whether the first number of some date is no month."""
        stamps = (line.split(",")[1].strip() for line in lines if line.startswith("Time,"))
        dates = filter(None, map(DAY_MONTH_YEAR.fullmatch, stamps))
        self.day_first = any(int(date[1]) > MONTHS for date in dates)

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

    def runs(self, readings: Sequence[Reading]) -> dict[str, Sequence[Reading]]:
        """A run for each mark, without readings of zero or less."""
        runs: dict[str, list[Reading]] = defaultdict(list)
        skipped: dict[str, int] = defaultdict(int)
        for reading, mark in zip(readings, self.marks, strict=True):
            own = runs[mark]
            if (reading.power_w or 0) > 0:
                own.append(reading)
            else:
                skipped[mark] += 1
        for mark, count in skipped.items():
            text = f"{count} readings of {mark or 'no mark'} are not above zero"
            self.notes.append(("zero", text))
        return dict(runs)

    def sensor(self, domain: str) -> dict[str, Any]:
        """PTDaemon writes the mean of each second."""
        del domain
        return {"update_period_s": 1.0, "averaging_window_s": 1.0}

    def identify(self, path: Path, folder: str, run: str) -> dict[str, str]:
        """Names of a run: MLPerf's folders state submitter, system, model and scenario."""
        parents = path.parent.parts
        for index in range(len(parents) - DEPTH, 0, -1):
            if parents[index] == ROOT and parents[index + DEPTH] == "performance":
                machine, model, scenario = parents[index + 1 : index + DEPTH]
                workload = f"{model}/{scenario}"
                return {"submission": parents[index - 1], "machine": machine, "workload": workload}
        return {"submission": folder, "workload": run or path.stem}

    def facts(self, run: str) -> dict[str, Any]:
        """The order of the date, the channels, and whether it is a trial run."""
        channels = ", ".join(self.channels[run]) or None
        return {
            "day_first": self.day_first,
            "ranging": run.endswith("_ranging"),
            "channels": channels,
        }


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


FORMAT = power_log("ptdaemon", "SPEC PTDaemon's readings", ("spl*.txt",), PtdaemonParser)
