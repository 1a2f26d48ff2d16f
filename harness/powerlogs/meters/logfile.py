"""Follows the log of an external meter: PTDaemon's `spl.txt`, or a table with named columns.

The stamps are of another clock. Each row that arrives while we follow shows how far that clock is
off; rows whose clock is off by more than a few seconds are refused with the remedy, since joules
at the wrong time are wrong joules.
"""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from harness.clock import NS_PER_S, anchor
from harness.meters._sensing import check_options, number_option
from harness.plugins import Availability, Domain, Reader, Reading

OPTIONS = (
    "path",
    "time",
    "power",
    "energy",
    "tz",
    "offset_s",
    "clock",
    "kind",
    "accuracy",
    "max_w",
)

_OFF_LIMIT_S = 5.0
"""A row that arrives later than this after its stamp, or before it, has a wrong clock."""

_STAMP_U_NS = NS_PER_S // 2
"""Doubt of a stamp of another machine's clock that is synchronised over the network."""

_TIME_NAMES = ("time", "timestamp", "datetime", "date", "t", "t_s", "utc")
_POWER_NAMES = {
    **dict.fromkeys(("watts", "watt", "w", "power", "power_w", "power (w)", "power[w]"), 1.0),
    **dict.fromkeys(("active power", "active power (w)", "p", "power_watts"), 1.0),
    **dict.fromkeys(("power_kw", "kw", "power (kw)"), 1e3),
    **dict.fromkeys(("power_mw", "mw", "power (mw)"), 1e-3),
}
_ENERGY_NAMES = {
    **dict.fromkeys(("energy_j", "joules", "j", "energy (j)"), 1.0),
    **dict.fromkeys(("energy_wh", "wh", "energy (wh)"), 3.6e3),
    **dict.fromkeys(("energy_kwh", "kwh", "energy (kwh)"), 3.6e6),
}
_SPL_TIMES = ("%m-%d-%Y %H:%M:%S.%f", "%d-%m-%Y %H:%M:%S.%f")


class Row(NamedTuple):
    """One line of the log."""

    wall_s: float
    """Seconds since 1970 by the meter's clock."""
    energy_j: float | None
    power_w: float | None


class Layout(NamedTuple):
    """Where a table keeps what."""

    delimiter: str
    time: int
    power: tuple[int, float] | None
    """Column and watts for one of its units."""
    energy: tuple[int, float] | None
    columns_count: int


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, whose quotes may hold the delimiter.

    Raises:
        ValueError: it is no line of a table.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise ValueError(f"{error}: {line[:60]!r}") from error


def decode(data: bytes) -> str:
    """Text of a log, whatever byte order mark its meter's program put before it."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    return data.decode("utf-8", "replace")


def seconds(text: str, zone: timezone | None, near_s: float) -> float:
    """A stamp as seconds since 1970.

    Args:
        text: ISO 8601, seconds or milliseconds since 1970, or PTDaemon's own form, whose day and
            month stand in either order: the one nearer to `near_s` is meant.
        zone: of stamps that name none; None for this machine's.
        near_s: seconds since 1970 about now.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip().strip('"')
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return number / 1000 if number > 1e11 else number  # noqa: PLR2004 - milliseconds
    moments = [moment.timestamp() for moment in _moments(text, zone)]
    if not moments:
        raise ValueError(f"'{text}' is no time stamp that is known here")
    return min(moments, key=lambda moment: abs(moment - near_s))


def _moments(text: str, zone: timezone | None) -> list[datetime]:
    found = []
    for form in ("", *_SPL_TIMES):
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            continue
        found.append(moment if moment.tzinfo else _placed(moment, zone))
    return found


def _placed(moment: datetime, zone: timezone | None) -> datetime:
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()


def zone_of(text: str) -> timezone | None:
    """`utc`, `local` or an offset as `+02:00`.

    Raises:
        ValueError: it is none of these.
    """
    if text in ("", "local"):
        return None
    if text.lower() == "utc":
        return UTC
    sign = {"+": 1, "-": -1}.get(text[:1])
    hours, _, minutes = text[1:].partition(":")
    digits = hours.isdecimal() and (minutes or "0").isdecimal()
    if sign is None or not digits or int(hours) > 23 or int(minutes or 0) > 59:  # noqa: PLR2004
        raise ValueError(f"logfile meter: option tz: '{text}' is none of utc, local, +02:00")
    return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes or 0)))


def layout_of(header: str, options: Mapping[str, str]) -> Layout:
    """The columns of a table, by the names that the options give or by usual ones.

    Raises:
        ValueError: the time or every figure is missing; the message lists the columns.
    """
    delimiter = max(";\t,", key=header.count)
    names = [name.strip().lower() for name in cells(header, delimiter)]

    def where(option: str, known: Sequence[str]) -> int | None:
        wanted = options.get(option, "").lower()
        candidates = [wanted] if wanted else known
        found = next((candidate for candidate in candidates if candidate in names), None)
        if found is not None and names.count(found) > 1:
            raise ValueError(
                f"more than one column is called '{found}'; give each a name of its own"
            )
        return None if found is None else names.index(found)

    time, power = where("time", _TIME_NAMES), where("power", tuple(_POWER_NAMES))
    energy = where("energy", tuple(_ENERGY_NAMES))
    if time is None or (power is None and energy is None):
        lacking = "time" if time is None else "power or energy"
        raise ValueError(
            f"no column of {lacking} among: {', '.join(names)}; "
            "name them with time=..., power=... or energy=..."
        )
    return Layout(
        delimiter,
        time,
        None if power is None else (power, _POWER_NAMES.get(names[power], 1.0)),
        None if energy is None else (energy, _ENERGY_NAMES.get(names[energy], 1.0)),
        len(names),
    )


def _value(text: str, *, decimal_comma: bool) -> float:
    clean = text.strip().strip('"')
    value = float(clean.replace(",", ".") if decimal_comma else clean)
    if not math.isfinite(value):
        raise ValueError(f"'{clean}' is no figure")
    return value


class Parser:
    """Turns lines of one log into rows."""

    def __init__(self, first: str, options: Mapping[str, str]) -> None:
        self.is_spl = first.startswith("Time,") and "Watts" in first.split(",")
        self.layout = None if self.is_spl else layout_of(first, options)
        self._zone = zone_of(options.get("tz", "local"))

    @property
    def counts(self) -> bool:
        """Whether the log has an energy counter."""
        return self.layout is not None and self.layout.energy is not None

    def row(self, line: str, near_s: float) -> Row:
        """One line.

        Raises:
            ValueError: it is no row of this log.
        """
        if self.layout is None:
            fields = line.split(",")
            at = fields.index("Watts") + 1
            if "".join(fields[at + 1 : at + 2]).strip().isdecimal():
                raise ValueError(f"a decimal comma beside commas that part columns: {line[:60]!r}")
            power_w = _value(fields[at], decimal_comma=False)
            return Row(seconds(fields[1], self._zone, near_s), None, power_w)
        layout = self.layout
        fields = cells(line, layout.delimiter)
        if len(fields) > layout.columns_count:
            raise ValueError(
                f"more columns than the {layout.columns_count} of the header: {line[:60]!r}"
            )
        if len(fields) <= max(layout.time, *(c[0] for c in (layout.power, layout.energy) if c)):
            raise ValueError(f"too few columns: {line[:60]!r}")
        comma = layout.delimiter != ","
        energy, power = (
            None if column is None else _value(fields[column[0]], decimal_comma=comma) * column[1]
            for column in (layout.energy, layout.power)
        )
        return Row(seconds(fields[layout.time], self._zone, near_s), energy, power)


class LogReader(Reader):
    """Follows a growing file from where it ends now."""

    period_s = 0.5

    def __init__(self, options: Mapping[str, str]) -> None:
        self._path = Path(options["path"])
        self._offset_s = number_option("logfile", options, "offset_s") or 0.0
        text = decode(self._path.read_bytes())
        first = next((line for line in text.splitlines() if line.strip()), "")
        if not first:
            raise ValueError(f"{self._path}: the log is empty; start the meter's program first")
        self._parser = Parser(first, options)
        marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
        self._utf16 = marks.get(self._path.read_bytes()[:2])
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._at = os.lseek(self._fd, 0, os.SEEK_END)
        self._rest = b""
        self._by_arrival = options.get("clock", "stamp") == "arrival"
        self.errors: dict[str, str] = {}
        kind = _kind(options.get("kind", "wall"))
        self.domains: Sequence[Domain] = (self._spec(kind, options),)

    def _spec(self, kind: Literal["wall", "node"], options: Mapping[str, str]) -> Domain:
        return Domain(
            name=kind,
            kind=kind,
            method="counter" if self._parser.counts else "sampled",
            meter="logfile",
            source=f"log {self._path.name}{' of PTDaemon' if self._parser.is_spl else ''}",
            update_period_s=1.0,
            averaging_window_s=None if self._parser.counts else 1.0,
            power_low_w=0.0,
            power_high_w=number_option("logfile", options, "max_w", 0.0),
            gain_error_ratio=number_option("logfile", options, "accuracy", 0.0),
        )

    def _lines(self) -> list[str]:
        data = os.pread(self._fd, 1 << 20, self._at)
        if not data and os.fstat(self._fd).st_size < self._at:
            raise OSError(f"{self._path} has become shorter; its program began a new log")
        self._at += len(data)
        feed = "\n".encode(self._utf16 or "utf-8")
        whole, found, self._rest = (self._rest + data).rpartition(feed)
        if not found:
            return []
        return (whole.decode(self._utf16, "replace") if self._utf16 else decode(whole)).splitlines()

    def read(self) -> Sequence[Reading]:
        """Rows that have arrived since the last read, stamped on this machine's clock.

        Raises:
            OSError: the log was cut off.
        """
        self.errors = {}
        lines = [line for line in self._lines() if line.strip()]
        if not lines:
            return []
        here = anchor()
        arrived_s = here.wall_ns / NS_PER_S
        readings = []
        for line in lines:
            try:
                row = self._parser.row(line, arrived_s)
            except (ValueError, IndexError) as error:
                self.errors[self.domains[0].name] = f"a line of the log is no reading: {error}"
                continue
            late_s = arrived_s - (row.wall_s + self._offset_s)
            if self._refused(late_s):
                continue
            back_ns = 0 if self._by_arrival else round(late_s * NS_PER_S)
            t_ns = here.monotonic_ns - back_ns
            name = self.domains[0].name
            readings.append(Reading(t_ns, name, row.energy_j, row.power_w, _STAMP_U_NS))
        return readings

    def _refused(self, late_s: float) -> bool:
        """Whether the meter's clock is too far off, which is then told with the remedy."""
        if self._by_arrival or -1.0 <= late_s <= _OFF_LIMIT_S:
            return False
        hours = late_s / 3600
        side = "behind" if late_s > 0 else "ahead of"
        self.errors[self.domains[0].name] = (
            f"the log's clock is {abs(late_s):.1f} s ({abs(hours):.2f} h) {side} this machine's: "
            f"set the zone with tz=..., the rest with offset_s={late_s:.0f}, "
            "or take the time of arrival with clock=arrival"
        )
        return True

    def close(self) -> Mapping[str, float]:
        """Close the file."""
        os.close(self._fd)
        return {}


def _kind(text: str) -> Literal["wall", "node"]:
    if text == "wall":
        return "wall"
    if text == "node":
        return "node"
    raise ValueError(f"logfile meter: option kind: '{text}' is neither wall nor node")


class LogMeter:
    """The plug-in; chosen only by name, with the log's path."""

    origin = "external"
    kinds = ("wall",)

    def probe(self) -> Availability:
        """There for whoever names a log."""
        return Availability(
            ok=True, reason="follows the log of an external meter: --meter logfile:path=spl.txt"
        )

    def open(self, options: Mapping[str, str]) -> LogReader:
        """Follow a log; options as in `OPTIONS`, `path` is needed.

        Raises:
            ValueError: an option or the log's columns cannot be understood.
        """
        check_options("logfile", options, OPTIONS)
        if "path" not in options:
            raise ValueError("logfile meter: option path is missing; write logfile:path=spl.txt")
        if options.get("clock", "stamp") not in ("stamp", "arrival"):
            raise ValueError(
                f"logfile meter: option clock: '{options['clock']}' is neither stamp nor arrival"
            )
        return LogReader(options)


METER = LogMeter()
