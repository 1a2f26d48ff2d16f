"""Follows the log of another tool while it grows: an external meter, or any format of this package.

The stamps are of another clock. The arrival of each row shows how far that clock is off; rows whose
clock is off by more than a few seconds are refused with the remedy, since joules at the wrong time
are wrong joules.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

from harness.clock import NS_PER_S, anchor
from harness.formats.text import split_lines
from harness.meters._sensing import check_options, number_option
from harness.plugins import Availability, Domain, Reader, Reading
from harness.powerlogs.log import LineError
from harness.powerlogs.power_log import parser_for
from harness.powerlogs.ptdaemon import PtdaemonParser
from harness.powerlogs.table import GpuTableParser, TableParser

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

_CLOCK_OFF_S_MAX = 5.0
"""A row that arrives later than this after its stamp has a wrong clock ..."""

_CLOCK_AHEAD_S_MAX = 1.0
"""... as has one that arrives earlier than this before its stamp."""

_STAMP_U_NS = NS_PER_S // 2
"""Uncertainty of a stamp of another machine's clock that is synchronised over the network."""

_ENCODINGS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
"""By byte order mark; any other log is UTF-8."""


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
    if sign is None or not digits or int(hours) > 23 or int(minutes or 0) > 59:  # noqa: PLR2004 - a clock
        raise ValueError(f"logfile meter: option tz: '{text}' is none of utc, local, +02:00")
    return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes or 0)))


class LogReader(Reader):
    """Follows a growing file from where it ends now."""

    period_s = 0.5

    def __init__(self, options: Mapping[str, str]) -> None:
        self._path = Path(options["path"])
        self._offset_ns = round((number_option("logfile", options, "offset_s") or 0.0) * NS_PER_S)
        self._uses_arrival = options.get("clock", "stamp") == "arrival"
        self._kind = options.get("kind", "wall")
        if self._kind not in ("wall", "node"):
            raise ValueError(f"logfile meter: option kind: '{self._kind}' is neither wall nor node")
        data = self._path.read_bytes()
        self._encoding = _ENCODINGS.get(data[:2], "utf-8")
        self._newline = "\n".encode(self._encoding)
        self._at = data.rfind(self._newline) + len(self._newline) if self._newline in data else 0
        self._rest = b""
        lines = self._decode(data[: self._at])
        if not lines:
            raise ValueError(f"{self._path}: the log is empty; start the meter's program first")
        self._parser = parser_for(lines, zone_of(options.get("tz", "local")), options)
        self.errors: dict[str, str] = {}
        self.domains: Sequence[Domain] = self._describe(lines, options)
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def _decode(self, data: bytes) -> list[str]:
        """Lines without blank ones."""
        text = data.decode(self._encoding, "replace").removeprefix("\ufeff")
        return [line for line in split_lines(text) if line.strip()]

    def _describe(self, lines: Sequence[str], options: Mapping[str, str]) -> list[Domain]:
        """The domains of the rows that were there before."""
        readings: list[Reading] = []
        self._parser.near_ns = anchor().wall_ns
        for number, line in enumerate(lines):
            # The header comes first, and without it no line can be read.
            with contextlib.suppress(*([LineError] if number else [])):
                readings += self._parser.feed(line)
        is_external = isinstance(self._parser, TableParser | PtdaemonParser)
        names = dict.fromkeys(reading.domain for reading in readings)
        if is_external:
            names = {"wall": None}
        elif not names:
            raise ValueError(f"{self._path}: no reading yet; start the program a moment earlier")
        if isinstance(self._parser, GpuTableParser) and not self._parser.identity_column:
            raise ValueError(f"{self._path}: no column identifies the GPU; record with index")
        stated = {
            "power_high_w": number_option("logfile", options, "max_w", 0.0),
            "gain_error_ratio": number_option("logfile", options, "accuracy", 0.0),
        }
        fields = {key: value for key, value in stated.items() if value is not None}
        program = " of PTDaemon" if isinstance(self._parser, PtdaemonParser) else ""
        described = [
            self._parser.describe(name, names, meter="logfile", **fields) for name in names
        ]
        return [
            replace(
                domain,
                name=self._name(domain.name),
                kind="node" if self._name(domain.name) == "node" else domain.kind,
                source=f"log {self._path.name}{program}",
                update_period_s=domain.update_period_s or 1.0,
            )
            for domain in described
        ]

    def _name(self, domain: str) -> str:
        return self._kind if domain == "wall" else domain

    def _new_lines(self) -> list[str]:
        data = os.pread(self._fd, 1 << 20, self._at)
        if not data and os.fstat(self._fd).st_size < self._at:
            raise OSError(f"{self._path} has become shorter; its program began a new log")
        self._at += len(data)
        complete, newline, self._rest = (self._rest + data).rpartition(self._newline)
        return self._decode(complete) if newline else []

    def read(self) -> Sequence[Reading]:
        """Rows that have arrived since the last read, stamped on this machine's clock.

        Raises:
            OSError: the log was cut off.
        """
        self.errors = {}
        lines = self._new_lines()
        here = anchor()
        self._parser.near_ns = here.wall_ns
        readings = []
        for line in lines:
            try:
                parsed = self._parser.feed(line)
            except LineError as error:
                self._complain(f"a line of the log is no reading: {error}")
                continue
            for reading in parsed:
                late_ns = 0 if self._uses_arrival else here.wall_ns - reading.t_ns - self._offset_ns
                if self._accepts(late_ns / NS_PER_S):
                    name, t_ns = self._name(reading.domain), here.monotonic_ns - late_ns
                    readings.append(reading._replace(t_ns=t_ns, domain=name, u_ns=_STAMP_U_NS))
        return readings

    def _complain(self, message: str) -> None:
        self.errors[self.domains[0].name] = message

    def _accepts(self, late_s: float) -> bool:
        """Whether the log's clock is close enough; if not, the trouble states the remedy."""
        if -_CLOCK_AHEAD_S_MAX <= late_s <= _CLOCK_OFF_S_MAX:
            return True
        side = "behind" if late_s > 0 else "ahead of"
        self._complain(
            f"the log's clock is {abs(late_s):.1f} s ({abs(late_s) / 3600:.2f} h) {side} this "
            f"machine's: set the zone with tz=..., the rest with offset_s={late_s:.0f}, "
            "or take the time of arrival with clock=arrival"
        )
        return False

    def close(self) -> Mapping[str, float]:
        """Close the file."""
        os.close(self._fd)
        return {}


class LogMeter:
    """The plug-in; chosen only by name, with the log's path."""

    origin = "external"
    kinds = ("wall",)

    def probe(self) -> Availability:
        """Always available; it needs the path of a log."""
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
