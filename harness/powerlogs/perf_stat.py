"""`perf stat -I MS -x SEP -e power/energy-pkg/,...`: joules of each interval, by event and socket.

perf quotes nothing: with `-x,` a locale's decimal comma splits figures, which are joined again by
their number of digits (nine of the time, two of the joules). Without `-x` the fields are columns
separated by blanks, and thousands are grouped as the locale does. Value and unit come before the
event, whatever comes before them. A summary below the intervals is not added to them.
`energy-psys` contains the package, which contains `energy-cores` and `energy-gpu`: the total adds
packages and memory only.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timezone
from typing import Any

from harness.clock import NS_PER_S
from harness.formats.text import Text, number, shown
from harness.meters._sensing import DRAM_GAIN, PACKAGE_GAIN
from harness.plugins import Reading
from harness.powerlogs.log import Accumulator, LineError, LogParser, power_log

EVENT = re.compile(r"(?:power/)?energy-(pkg|ram|psys|cores|gpu)/?\w*")
DOMAINS = {"pkg": "cpu-package", "ram": "dram", "psys": "node", "cores": "cpu-cores", "gpu": "igpu"}
SOCKET = re.compile(r"S\d+(?:-D\d+)?|N\d+")
UNITS = {"joules": 1.0, "j": 1.0, "millijoules": 1e-3, "mj": 1e-3}
SEPARATORS = (";", "\t", "|", ",")
SPLIT_TIME = re.compile(r"^(\s*\d+),(\d{9})(?=,)")
SPLIT_VALUE = re.compile(r"(\d),(\d\d)(?=,Joules,)")
BLANKS = re.compile(r"[ \t]+")
STARTED = re.compile(r"# started on (\w+ \w+ +\d+ [\d:]+ \d+)")
ELAPSED = re.compile(r"\s*(\d+[.,]\d+) seconds time elapsed")
GROUPED = re.compile(r"\d{1,3}([.,\u00a0\u202f'])\d{3}(?:\1\d{3})*[.,]\d\d")
"""A figure of joules as perf writes it for people: `1,024.68`."""


class PerfParser(LogParser):
    """Lines of `perf stat`; domains are `cpu-package`, `dram` ..., with `-S0` for a socket."""

    method = "counter"
    expected = "the output of perf stat -I MS -x ';' -e power/energy-pkg/,power/energy-ram/"
    scope = "cpu"
    added = ("cpu-package", "dram")

    def __init__(self, zone: timezone | None = UTC) -> None:
        super().__init__(zone)
        self._separator: str | None = None
        """None before the first event, and where blanks separate columns."""
        self._start_ns = 0
        self._counters = Accumulator()
        self.times_s: list[float] = []
        """Time of each reading since the start."""
        self.summary_joules: dict[str, float] = defaultdict(float)
        """Joules by domain of lines without a time."""
        self.summary_count = 0
        """Number of these lines."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line has an energy event."""
        return any(map(EVENT.search, lines))

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: joules of one event in one interval, added to a counter."""
        if started := STARTED.match(line):
            self._start_ns = self._read_start(started[1])
        if line.lstrip().startswith("#") or not EVENT.search(line):
            return []
        if self._separator is None:
            fits = (mark for mark in SEPARATORS if any(map(EVENT.fullmatch, _strip(line, mark))))
            self._separator = next(fits, None)
        try:
            time_s, domain, joules = self._parse_event(line)
        except LineError as error:
            raise LineError(f"no joules: {error}") from error
        if time_s is None:
            self.summary_joules[domain] += joules
            self.summary_count += 1
            return []
        self.times_s.append(time_s)
        end_ns = self._start_ns + round(time_s * NS_PER_S)
        return self._counters.add(domain, joules, self._start_ns, end_ns)

    def _read_start(self, stamp: str) -> int:
        try:
            moment = datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - placed below
        except ValueError:
            return 0
        moment = moment.replace(tzinfo=self.zone) if self.zone else moment.astimezone()
        return round(moment.timestamp()) * NS_PER_S

    def _parse_event(self, line: str) -> tuple[float | None, str, float]:
        """Seconds since the start, domain and joules of a line."""
        fields = self._fields(line)
        match = next(((i, m) for i, f in enumerate(fields) if (m := EVENT.fullmatch(f))), None)
        if match is None or match[0] < 2:  # noqa: PLR2004 - value and unit come before the event
            raise LineError("no value and unit before the event")
        place, event = match
        figure, unit = fields[place - 2], fields[place - 1]
        if self._separator is None and (grouped := GROUPED.fullmatch(figure)):
            figure = figure.replace(grouped[1], "")
        value, factor = number(figure), UNITS.get(unit.lower())
        if value is None or factor is None:
            raise LineError(shown(figure))
        head = fields[: place - 2]
        socket = next((f"-{field}" for field in head if SOCKET.fullmatch(field)), "")
        time_s = number(head[0]) if head and not SOCKET.fullmatch(head[0]) else None
        return time_s, DOMAINS[event[1]] + socket, value * factor

    def _fields(self, line: str) -> list[str]:
        if self._separator == "," and "." not in line:
            line = SPLIT_VALUE.sub(r"\1.\2", SPLIT_TIME.sub(r"\1.\2", line))
        # Only ordinary blanks separate columns: a narrow one may group the digits of a figure.
        return _strip(line, self._separator) if self._separator else BLANKS.split(line.strip(" \t"))

    def finish(self) -> list[Reading]:
        """The lines without a time, where no line has one: they are all of the recording."""
        if not self.times_s:
            self.untimed_count = self.summary_count
            return [
                Reading(at, domain, value, None)
                for domain, joules in self.summary_joules.items()
                for at, value in ((0, 0.0), (NS_PER_S, joules))
            ]
        if self.summary_count:
            text = f"{self.summary_count} lines without a time, as perf's summary, are not added"
            self.notes.append(("summary", text))
        return []

    def sensor(self, domain: str) -> dict[str, Any]:
        """The classes of RAPL."""
        return {"gain_error_ratio": DRAM_GAIN if domain.startswith("dram") else PACKAGE_GAIN}

    def duration_s(self, text: Text) -> float | None:
        """The last interval's end, or the time that perf prints below the figures."""
        elapsed = (number(match[1]) for line in text.lines if (match := ELAPSED.match(line)))
        return max(self.times_s) if self.times_s else next(elapsed, None)


def _strip(line: str, separator: str) -> list[str]:
    return [field.strip() for field in line.split(separator)]


FORMAT = power_log(
    "perf-stat", "perf stat's energy events", ("*.csv", "*.txt", "*.perf"), PerfParser
)
