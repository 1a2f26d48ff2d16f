"""What the readers of power logs share.

A parser takes a log line by line and gives readings of domains, stamped by the log's own clock.
`joulemark import` and the meters `logfile` and `replay` use the same parsers. The sampler process
loads them, so the modules of this package import only the standard library when they are loaded.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.clock import NS_PER_S
from harness.formats.format import Archive, Format, make_finding
from harness.formats.text import Text, TextError, delimiter_of
from harness.plugins import Domain, DomainKind, Reading

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

LINES_MAX = 400
"""So many lines from the beginning show the format."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MIN = 1e11
"""Greater stamps are milliseconds since 1970, smaller ones seconds."""

DAY_MONTH_YEAR = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4}) (.+)")
"""PTDaemon's stamp, `12-28-2020 15:21:14.682`; day and month come in either order."""

WEEKDAY = re.compile(
    r"\w{3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d)(?: ([A-Z]{3,4}))? (\d{4})(?: ([+-]\d{4}))?"
)
"""What `date` prints, `Wed Feb 15 12:49:51 UTC 2017`, with or without a zone."""

KINDS: dict[str, DomainKind] = {
    "gpu": "gpu", "igpu": "gpu", "cpu": "cpu", "dram": "dram", "wall": "wall",
}  # fmt: skip
"""What a domain covers, by the first word of its name; the others cover the node."""

PARENTS = {"cpu-cores": "cpu-package", "igpu": "cpu-package", "cpu-package": "node", "dram": "node"}
"""The domain whose joules contain those of another one, by name without a socket."""

SOCKET = re.compile(r"(-[SN]\d+(?:-D\d+)?)$")


class LineError(ValueError):
    """A line gives no reading; the message says why."""


class HeaderError(LineError):
    """A header without the columns that are needed, so no line can be read."""


class LogParser:
    """Turns the lines of one log into readings; each format has a subclass."""

    method: ClassVar[str] = "sampled"
    """Of the domains that carry no joules; `counter` where all of them do."""
    expected: ClassVar[str] = ""
    """What such a file is, for messages."""
    scope: ClassVar[str] = "node"
    """What the log covers, as a fact of an imported run."""
    added: ClassVar[tuple[str, ...] | None] = None
    """Beginnings of the names of domains that a total adds; None: all that no other contains."""

    def __init__(self, zone: timezone | None = UTC) -> None:
        """Start a log.

        Args:
            zone: Time zone of stamps that name none; None for this machine's zone.
        """
        self.zone = zone
        self.near_ns: int | None = None
        """About when the next line was written, in nanoseconds since 1970, if known."""
        self.untimed_count = 0
        """Readings without a time; their stamps are only in their order."""
        self.counted: set[str] = set()
        """Domains whose readings carry joules."""
        self.notes: list[tuple[str, str]] = []
        """Names and texts of findings about the log."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first lines of a log are of this format."""
        raise NotImplementedError

    def prepare(self, lines: Sequence[str]) -> None:
        """Look at all lines that are there before the first one is parsed."""

    def feed(self, line: str) -> list[Reading]:
        """Parse the next line.

        Raises:
            LineError: the line should hold readings and holds none.
        """
        raise NotImplementedError

    def finish(self) -> list[Reading]:
        """Readings that waited for a further line."""
        return []

    def time_ns(self, stamp: str, *, day_first: bool = False) -> int:
        """Nanoseconds since 1970 of a stamp, see `time_ns`; an empty one is the time of arrival."""
        if stamp:
            return time_ns(stamp, self.zone, self.near_ns, day_first=day_first)
        if self.near_ns is not None:
            return self.near_ns
        self.untimed_count += 1
        return self.untimed_count * NS_PER_S

    def sensor(self, domain: str) -> dict[str, Any]:
        """What is known of a domain's sensor, as fields of `Domain`."""
        del domain
        return {}

    def describe(self, name: str, names: Iterable[str], **fields: Any) -> Domain:
        """The description of a domain; given fields come before those of `sensor`."""
        derived: dict[str, Any] = {
            "kind": kind_of(name),
            "method": "counter" if name in self.counted else self.method,
            "meter": "log",
            "source": "log",
            "parents": parents_of(name, names),
            "power_low_w": 0.0,
            "resolution_j": 0.01 if name in self.counted or self.method == "counter" else None,
        }
        return Domain(**(derived | self.sensor(name) | fields | {"name": name}))

    # --- what an imported run takes from the log ----------------------------------------------

    def runs(self, readings: Sequence[Reading]) -> dict[str, Sequence[Reading]]:
        """Readings of each run, by the run's name; an empty name is that of the file."""
        return {"": readings} if readings else {}

    def identify(self, path: Path, folder: str, run: str) -> dict[str, str]:
        """Names of a run (`submission`, `machine`, `workload`), as far as the log has them."""
        del path, folder, run
        return {}

    def facts(self, run: str) -> dict[str, Any]:
        """What else the log says of a run."""
        del run
        return {}

    def duration_s(self, text: Text) -> float | None:
        """Length of the recording as the log states it; None where only its readings tell."""
        del text
        return None


class Accumulator:
    """Turns joules of intervals into readings of a counter that starts at zero."""

    def __init__(self) -> None:
        self._joules: dict[str, float] = {}

    def add(self, domain: str, joules: float, start_ns: int, end_ns: int) -> list[Reading]:
        """Add an interval of a domain; its first interval also gives the reading at its start."""
        first = [] if domain in self._joules else [Reading(start_ns, domain, 0.0, None)]
        total = self._joules[domain] = self._joules.get(domain, 0.0) + joules
        return [*first, Reading(end_ns, domain, total, None)]


class Documents:
    """Collects the lines of JSON documents that follow each other."""

    def __init__(self) -> None:
        self._text = ""

    @property
    def open(self) -> bool:
        """Whether the last document has not ended."""
        return bool(self._text)

    def add(self, line: str) -> list[Any]:
        """The documents that end with this line.

        Raises:
            LineError: a line begins no document.
        """
        stripped = line.strip()
        if not self._text and stripped and stripped[0] not in "[{":
            raise LineError(f"no JSON: {stripped[:60]!r}")
        self._text += f"{line}\n"
        # A document that is laid out over several lines ends with a bracket in the first column.
        if not line.startswith(("}", "]")) and not stripped.endswith(("}", "]")):
            return []
        documents, at, decoder = [], 0, json.JSONDecoder()
        while rest := self._text[at:].lstrip(" \r\n\t,"):
            try:
                document, length = decoder.raw_decode(rest)
            except json.JSONDecodeError:
                break
            documents.append(document)
            at = len(self._text) - len(rest) + length
        self._text = self._text[at:].lstrip()
        return documents


def quantity(value: Any) -> float | None:
    """A figure of a JSON document: a number, its text, or an object with `value` and `unit`."""
    factor = 1.0
    if isinstance(value, dict):
        factor = 1e-3 if str(value.get("unit", "")).startswith("m") else 1.0
        value = value.get("value")
    try:
        return float(value) * factor
    except (TypeError, ValueError):
        return None


def kind_of(domain: str) -> DomainKind:
    """What a domain covers, by its name."""
    return KINDS.get(domain.partition("-")[0], "node")


def parents_of(domain: str, domains: Iterable[str]) -> tuple[str, ...]:
    """The domains of a log that contain a domain, nearest first."""
    base, socket_part = SOCKET.sub("", domain), SOCKET.search(domain)
    socket = socket_part[1] if socket_part else ""
    known, parents = set(domains), []
    while base in PARENTS:
        base = PARENTS[base]
        parents += [name for name in (base, base + socket) if name in known]
    return tuple(dict.fromkeys(parents))


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
        stamp: ISO 8601 (also with slashes), seconds or milliseconds since 1970, PTDaemon's form, or
            that of `date`.
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
    times = []
    for text in _iso_forms(stamp):
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


def _iso_forms(stamp: str) -> list[str]:
    """A stamp in the forms of ISO 8601 that it may mean."""
    plain = stamp.replace("/", "-")
    if match := DAY_MONTH_YEAR.fullmatch(plain):
        first, second, year, clock = match.groups()
        orders = ((first, second), (second, first))
        return [f"{year}-{month:0>2}-{day:0>2} {clock}" for month, day in orders]
    if match := WEEKDAY.fullmatch(stamp):
        name, day, clock, zone, year, offset = match.groups()
        month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(name) // 3 + 1
        utc = "+0000" if zone in ("UTC", "GMT") else ""
        return [f"{year}-{month:02}-{day:0>2} {clock}{offset or utc}"]
    return [plain]


# --- import ---------------------------------------------------------------------------------------


def power_log(name: str, title: str, patterns: Sequence[str], *parsers: type[LogParser]) -> Format:
    """The format plug-in of a power log.

    Args:
        name: Of the plug-in.
        title: What such files are.
        patterns: Names of such files in a folder.
        parsers: Of the format; of several, the first that recognizes the file is taken.
    """

    def read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
        # The sampler loads the parsers, and must not load numpy and pydantic.
        from harness.powerlogs.importing import import_log

        lines = [line for line in text.lines[:LINES_MAX] if line.strip()] or [""]
        fitting = (parser for parser in parsers if parser.recognizes(lines))
        parser = next(fitting, parsers[0])()
        parser.prepare(text.lines)
        return import_log(name, parser, text, folder)

    return file_format(name, title, patterns, parsers[0].expected, read_file)


def file_format(
    name: str,
    title: str,
    patterns: Sequence[str],
    expected: str,
    read_file: "Callable[[Text, str], Iterator[ImportedRun | Finding]]",
) -> Format:
    """The format plug-in of files; `read_file` gives the runs of one file of a folder's name."""

    def read(path: Path) -> Archive:
        from harness.formats.files import read_files

        return read_files(path, patterns, expected, read_file)

    return Format(name=name, title=title, read=read)


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


def energies(joules: Mapping[str, float | None]) -> dict[str, dict[str, float]]:
    """The joules of a run by domain, and their sum."""
    known = {domain: value for domain, value in joules.items() if value is not None}
    total = {"window": sum(known.values())} if known else {}
    return {"energy_by_method_j": total, "energy_by_domain_j": known}
