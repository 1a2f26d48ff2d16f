"""Plays a recorded trace again, as if it happened now; its joules are marked as simulated."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.clock import now_ns
from harness.meters._sensing import check_options, number_option
from harness.plugins import Availability, Domain, Reader, Reading

_HEADER = ["t_ns", "domain", "energy_j", "power_w", "u_ns"]


class Row(NamedTuple):
    """One recorded reading; its stamp counts from the first one."""

    t_ns: int
    domain: str
    energy_j: float | None
    power_w: float | None
    u_ns: int


def _number(text: str) -> float | None:
    return float(text) if text else None


def rows_of(path: Path) -> list[Row]:
    """The rows of a trace, in the order of time.

    Raises:
        ValueError: it is no trace; the message names file and line.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    lines = csv.reader(io.StringIO(data.decode()))
    if next(lines, None) != _HEADER:
        raise ValueError(f"{path}: the first line is not '{','.join(_HEADER)}'")
    rows = []
    for number, fields in enumerate(lines, start=2):
        try:
            t_ns, domain, energy_j, power_w, u_ns = fields
            rows.append(Row(int(t_ns), domain, _number(energy_j), _number(power_w), int(u_ns or 0)))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not rows:
        raise ValueError(f"{path}: there is no reading in it")
    # A missing figure has no order, so figures take no part.
    return sorted(rows, key=lambda row: (row.t_ns, row.domain))


def recorded_domains(path: Path) -> dict[str, dict[str, Any]]:
    """What the bundle's `run.json` beside the trace says of its domains; empty without one."""
    beside = path.parent / "run.json"
    if not beside.is_file():
        return {}
    run = json.loads(beside.read_text(encoding="utf-8"))
    return {item["name"]: item for item in run.get("domains", ())}


def _kind(name: str) -> Literal["gpu", "cpu", "dram", "node", "wall"]:
    for kind in ("gpu", "cpu", "dram", "wall"):
        if name.startswith(kind):
            return kind
    return "node"


class ReplayReader(Reader):
    """Hands out each row when its time has come, with counters as they were."""

    def __init__(self, path: Path, speed: float) -> None:
        self._rows = rows_of(path)
        self._first_ns = self._rows[0].t_ns
        self._begin_ns = now_ns()
        self._speed = speed
        self._next = 0
        known = recorded_domains(path)
        names = dict.fromkeys(row.domain for row in self._rows)
        self.domains: Sequence[Domain] = tuple(
            self._spec(name, path, known.get(name, {})) for name in names
        )

    def _spec(self, name: str, path: Path, known: Mapping[str, Any]) -> Domain:
        has_energy = any(row.domain == name and row.energy_j is not None for row in self._rows)
        method = "counter" if has_energy else "sampled"
        fields = {
            "kind": _kind(name),
            # Without its run.json beside it, an estimate is known by its name alone.
            "method": "modelled" if name.endswith("-modelled") else method,
            **known,
            "name": name,
            "meter": "replay",
            "source": f"replay of {path.name}: {known.get('source', 'unknown source')}",
            "parents": tuple(known.get("parents", ())),
            "simulated": True,
        }
        return Domain(**fields)

    def read(self) -> Sequence[Reading]:
        """All rows whose time has come since the last read.

        Raises:
            OSError: the recording is over.
        """
        passed_ns = int((now_ns() - self._begin_ns) * self._speed)
        due: list[Reading] = []
        while self._next < len(self._rows):
            row = self._rows[self._next]
            since_ns = row.t_ns - self._first_ns
            if since_ns > passed_ns:
                break
            stamp_ns = self._begin_ns + int(since_ns / self._speed)
            due.append(Reading(stamp_ns, row.domain, row.energy_j, row.power_w, row.u_ns))
            self._next += 1
        if not due and self._next == len(self._rows):
            raise OSError("the recording is over; nothing is read any more")
        return due

    def close(self) -> Mapping[str, float]:
        """Nothing to let go."""
        return {}


class ReplayMeter:
    """The plug-in; chosen only by name."""

    origin = "simulated"
    kinds = ("node",)

    def probe(self) -> Availability:
        """There for whoever names a recording."""
        return Availability(
            ok=True, reason="plays a recording: --meter replay:path=RESULT/trace.csv.gz"
        )

    def open(self, options: Mapping[str, str]) -> ReplayReader:
        """Options: `path` of a trace or of a bundle's folder, `speed` (1 for as it was).

        Raises:
            ValueError: the path is missing or is no trace.
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
