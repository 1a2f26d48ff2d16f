"""Plays a recorded trace or power log again, as if it happened now; its joules are simulated."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clock import now_ns
from harness.formats.text import decoded, split_lines
from harness.meters._sensing import check_options, number_option
from harness.plugins import Availability, Domain, Reader, Reading
from harness.powerlogs.log import LineError, LogParser, cells
from harness.powerlogs.power_log import parser_for

_HEADER = "t_ns,domain,energy_j,power_w,u_ns"


class TraceParser(LogParser):
    """Lines of a bundle's `trace.csv.gz`."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first line is a trace's header."""
        return lines[0] == _HEADER

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; an empty figure is missing."""
        if line == _HEADER:
            return []
        try:
            t_ns, domain, energy_j, power_w, u_ns = cells(line, ",")
            joules, watts = (float(text) if text else None for text in (energy_j, power_w))
            return [Reading(int(t_ns), domain, joules, watts, int(u_ns or 0))]
        except ValueError as error:
            raise LineError(str(error)) from error


def read_recording(path: Path) -> tuple[LogParser, list[Reading]]:
    """The readings of a trace or power log, in the order of time, and its parser.

    Raises:
        ValueError: it is neither; the message names file and line.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    lines = [line for line in split_lines(decoded(data)) if line.strip()]
    if not lines:
        raise ValueError(f"{path}: it is empty")
    parser = TraceParser() if TraceParser.recognizes(lines) else parser_for(lines)
    readings = []
    for number, line in enumerate(lines, 1):
        try:
            readings += parser.feed(line)
        except LineError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    readings += parser.finish()
    if not readings:
        raise ValueError(f"{path}: there is no reading in it")
    # A missing figure has no order, so figures take no part.
    return parser, sorted(readings, key=lambda reading: (reading.t_ns, reading.domain))


def recorded_domains(path: Path) -> dict[str, dict[str, Any]]:
    """What `run.json` next to a trace says of its domains; empty without that file."""
    record = path.parent / "run.json"
    if not record.is_file():
        return {}
    run = json.loads(record.read_text(encoding="utf-8"))
    return {domain["name"]: domain for domain in run.get("domains", ())}


class ReplayReader(Reader):
    """Gives each reading when its time has come, with counters as they were."""

    def __init__(self, path: Path, speed: float) -> None:
        self._parser, self._readings = read_recording(path)
        self._first_ns = self._readings[0].t_ns
        self._begin_ns = now_ns()
        self._speed = speed
        self._next = 0
        known = recorded_domains(path)
        names = list(dict.fromkeys(reading.domain for reading in self._readings))
        self.domains: Sequence[Domain] = tuple(
            self._spec(name, names, path, known.get(name, {})) for name in names
        )

    def _spec(
        self, name: str, names: Sequence[str], path: Path, known: Mapping[str, Any]
    ) -> Domain:
        # Without its run.json, a modelled domain is known by its name alone.
        modelled = {"method": "modelled"} if name.endswith("-modelled") else {}
        fields = {
            **modelled,
            **{key: value for key, value in known.items() if key != "name"},
            "meter": "replay",
            "source": f"replay of {path.name}: {known.get('source', 'unknown source')}",
            "simulated": True,
        }
        if "parents" in known:
            fields["parents"] = tuple(known["parents"])
        if any(r.energy_j is not None for r in self._readings if r.domain == name):
            self._parser.counted.add(name)
        return self._parser.describe(name, names, **fields)

    def read(self) -> Sequence[Reading]:
        """All readings whose time has come since the last read.

        Raises:
            OSError: the recording is over.
        """
        passed_ns = int((now_ns() - self._begin_ns) * self._speed)
        due: list[Reading] = []
        while self._next < len(self._readings):
            reading = self._readings[self._next]
            since_ns = reading.t_ns - self._first_ns
            if since_ns > passed_ns:
                break
            due.append(reading._replace(t_ns=self._begin_ns + int(since_ns / self._speed)))
            self._next += 1
        if not due and self._next == len(self._readings):
            raise OSError("the recording is over; nothing is read any more")
        return due


class ReplayMeter:
    """The plug-in; chosen only by name."""

    origin = "simulated"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Always available; it needs the path of a recording."""
        return Availability(
            ok=True, reason="plays a recording: --meter replay:path=RESULT/trace.csv.gz"
        )

    def open(self, options: Mapping[str, str]) -> ReplayReader:
        """Options: `path` of a trace, power log or bundle's folder, `speed` (1: as recorded).

        Raises:
            ValueError: the path is missing or is no recording.
        """
        check_options("replay", options, ("path", "speed"))
        if "path" not in options:
            raise ValueError(
                "replay meter: option path is missing; write replay:path=RESULT/trace.csv.gz"
            )
        path = Path(options["path"])
        if path.is_dir():
            path /= "trace.csv.gz"
        return ReplayReader(path, number_option("replay", options, "speed", 0.0) or 1.0)


METER = ReplayMeter()
