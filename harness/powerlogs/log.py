"""What the readers of power logs share.

A parser takes a log line by line and gives readings of domains, stamped by the log's own clock.
`joulemark import` and the meters `logfile` and `replay` use the same parsers. The sampler process
loads them, so the modules of this package import only the standard library when they are loaded.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.clock import NS_PER_S
from harness.formats.format import Archive, Format, make_finding
from harness.formats.text import Text, TextError, delimiter_of
from harness.plugins import Reading

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MIN = 1e11
"""Greater stamps are milliseconds since 1970, smaller ones seconds."""

DAY_MONTH_YEAR = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4}) (.+)")
"""PTDaemon's stamp, `12-28-2020 15:21:14.682`; day and month come in either order."""


class LineError(ValueError):
    """A line gives no reading; the message says why."""


class HeaderError(LineError):
    """A header without the columns that are needed, so no line can be read."""


class LogParser:
    """Turns the lines of one log into readings; each format has a subclass."""

    method: ClassVar[str] = "sampled"
    """`counter` where readings carry joules, else `sampled`."""

    def __init__(self, zone: timezone | None = UTC) -> None:
        """Start a log.

        Args:
            zone: Time zone of stamps that name none; None for this machine's zone.
        """
        self.zone = zone
        self.near_ns: int | None = None
        """About when the next line was written, in nanoseconds since 1970, if known."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first lines of a log are of this format."""
        raise NotImplementedError

    def feed(self, line: str) -> list[Reading]:
        """Parse the next line.

        Raises:
            LineError: the line should hold readings and holds none.
        """
        raise NotImplementedError

    def time_ns(self, stamp: str, *, day_first: bool = False) -> int:
        """Nanoseconds since 1970 of a stamp, see `time_ns`."""
        return time_ns(stamp, self.zone, self.near_ns, day_first=day_first)

    def finish(self) -> list[Reading]:
        """Readings that waited for a further line."""
        return []


class Accumulator:
    """Turns joules of intervals into readings of a counter that starts at zero."""

    def __init__(self) -> None:
        self._joules: dict[str, float] = {}

    def add(self, domain: str, joules: float, start_ns: int, end_ns: int) -> list[Reading]:
        """Add an interval of a domain; its first interval also gives the reading at its start."""
        first = [] if domain in self._joules else [Reading(start_ns, domain, 0.0, None)]
        total = self._joules[domain] = self._joules.get(domain, 0.0) + joules
        return [*first, Reading(end_ns, domain, total, None)]


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of a table's line; a quoted cell may hold the delimiter.

    Raises:
        LineError: it is no line of a table.
    """
    try:
        row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise LineError(f"{error}: {line[:60]!r}") from error
    return [cell.strip() for cell in row]


def time_ns(
    stamp: str, zone: timezone | None, near_ns: int | None = None, *, day_first: bool = False
) -> int:
    """Nanoseconds since 1970 of a time stamp.

    Args:
        stamp: ISO 8601 (also with slashes), seconds or milliseconds since 1970, or PTDaemon's form.
        zone: Time zone of stamps that name none; None for this machine's zone.
        near_ns: Of two possible orders of day and month, the one nearer to this time is taken.
        day_first: Without `near_ns`, whether the day comes before the month.

    Raises:
        LineError: it is none of these.
    """
    try:
        number = float(stamp)
        return round(number * (NS_PER_S // 1000 if number > MILLISECONDS_MIN else NS_PER_S))
    except (ValueError, OverflowError):
        pass
    texts = [stamp.replace("/", "-")]
    if match := DAY_MONTH_YEAR.fullmatch(stamp):
        first, second, year, clock = match.groups()
        texts = [f"{year}-{month:0>2}-{day:0>2} {clock}"
                 for month, day in ((first, second), (second, first))]  # fmt: skip
    times = []
    for text in texts:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
        times.append((moment - EPOCH) // timedelta(microseconds=1) * 1000)
    if not times:
        raise LineError(f"'{stamp}' is no time stamp that is known here")
    if near_ns is not None:
        return min(times, key=lambda t_ns: abs(t_ns - near_ns))
    return times[-1 if day_first else 0]


# --- import ---------------------------------------------------------------------------------------


def parse(text: Text, parser: LogParser, rule: str) -> "tuple[list[Reading], list[Finding]]":
    """All readings of a file; lines that give none become findings.

    Raises:
        TextError: its header is not of the format.
    """
    readings: list[Reading] = []
    findings = []
    for number, line in enumerate(text.lines or [""], 1):
        try:
            readings += parser.feed(line)
        except HeaderError as error:
            raise TextError(f"{text.path}, line {number}: {error}") from error
        except LineError as error:
            message = f"{text.path}, line {number}: left out: {error}"
            findings.append(make_finding(rule, message))
    return readings + parser.finish(), findings


def by_domain(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    """Readings of each domain, in the order of the file."""
    domains: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        domains[reading.domain].append(reading)
    return dict(sorted(domains.items()))


def sort_by_time(text: Text, rule: str, readings: list[Reading]) -> "list[Finding]":
    """Sort readings of one domain by time; gives a finding where they were in another order."""
    if all(a.t_ns <= b.t_ns for a, b in pairwise(readings)):
        return []
    readings.sort(key=lambda reading: reading.t_ns)
    message = f"{text.path}: readings are out of order or the clock was set back; sorted by time"
    return [make_finding(rule, message)]


def table_rows(
    text: Text, needed: Sequence[str], rule: str
) -> "Iterator[tuple[int, dict[str, str]] | Finding]":
    """Line number and cells by column of each row of a table, or what is wrong with the row.

    Raises:
        TextError: the header does not have the needed columns.
    """
    header = text.lines[0] if text.lines else ""
    delimiter, names = delimiter_of(header), []
    for number, line in enumerate(text.lines or [""], 1):
        try:
            fields = cells(line, delimiter)
            if number == 1:
                names = fields
                if missing := [name for name in needed if name not in names]:
                    raise TextError(f"{text.path}, line 1: no column {', '.join(missing)}")
            elif len(fields) == len(names):
                yield number, dict(zip(names, fields, strict=True))
                continue
            why = f"{len(fields)} fields, {len(names)} named" if fields else ""
        except LineError as error:
            why = str(error)
        if why and number > 1:
            yield make_finding(rule, f"{text.path}, line {number}: left out: {why}")


def joules_of(readings: Sequence[Reading]) -> float | None:
    """Joules from the first to the last reading of one domain; None for a single reading.

    Power is integrated linearly between readings, and no further.
    """
    import numpy as np

    from harness.measure.power import integrate

    if len(readings) < 2:  # noqa: PLR2004 - an interval has two ends
        return None
    first, last = readings[0], readings[-1]
    if first.energy_j is not None and last.energy_j is not None:
        return last.energy_j - first.energy_j
    t_s = np.array([(reading.t_ns - first.t_ns) / NS_PER_S for reading in readings])
    watts = np.array([reading.power_w or 0.0 for reading in readings])
    return integrate(t_s, watts, 0.0, t_s[-1])


def power_log(
    name: str,
    title: str,
    patterns: Sequence[str],
    expected: str,
    read_file: "Callable[[Text, str], Iterator[ImportedRun | Finding]]",
) -> Format:
    """The format plug-in of a power log.

    Args:
        name: Of the plug-in.
        title: What such files are.
        patterns: Names of such files in a folder.
        expected: What a path should hold, for messages.
        read_file: Gives the runs of one file; the second argument is its folder's name.
    """

    def read(path: Path) -> Archive:
        from harness.formats.files import read_files

        return read_files(path, patterns, expected, read_file)

    return Format(name=name, title=title, read=read)


def energies(
    joules: Mapping[str, float | None], added: Sequence[str] | None = None
) -> dict[str, dict[str, float]]:
    """The joules of a run by domain, and the sum over domains whose names begin as in `added`."""
    known = {domain: value for domain, value in joules.items() if value is not None}
    parts = [v for domain, v in known.items() if added is None or domain.startswith(tuple(added))]
    total = {"window": sum(parts)} if parts else {}
    return {"energy_by_method_j": total, "energy_by_domain_j": known}
