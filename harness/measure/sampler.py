"""The sampler process: reads the meters beside a run and keeps what they said, with stamps.

It imports the standard library and the meters' own libraries, nothing else. The protocol is one
JSON object a line. On standard input: first the configuration, then `read_now` and `stop` (a
closed input means `stop` too, so the sampler never outlives its conductor). On standard output:
`ready`, `status`, `fault` and at last `report`.
"""

import importlib
import importlib.util
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from harness.clock import NS_PER_S, now_ns
from harness.measure.lane import Lane, Opened, open_meter
from harness.measure.member import Member
from harness.plugins import domain_fields

TRACE_HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"
VITALS_HEADER = "t_ns,name,value\n"

_OPEN_LIMIT_S = 15.0
"""A meter that has not opened by then is left out."""

_LAST_READ_S = 2.0
"""How long the last reading may take before a meter is left behind."""

_STUCK_NS = NS_PER_S // 2
"""A read that takes longer is moved to a lane of its own."""

_AFTER_READ_NS = 200_000
"""A read of meters in memory has ended by then."""

_VITALS_S = 2.0
"""How often the machine is watched: the kernel brings its own figures up to date no oftener
(pressure every two seconds, load every five)."""

_SLOW_READ_S = 0.02
"""Meters that take longer for a read get a lane of their own from the start."""


def load_meter(meter: Mapping[str, Any]) -> Any:
    """The meter object that a configuration entry names.

    Raises:
        ImportError: the module is not there or does not load.
        AttributeError: it defines no such attribute.
    """
    attribute = meter.get("attribute") or "METER"
    if meter.get("target"):
        module, _, named = str(meter["target"]).partition(":")
        return getattr(importlib.import_module(module), named or attribute)
    spec = importlib.util.spec_from_file_location(f"joulemark_meter_{meter['name']}", meter["path"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{meter['path']}: not a Python module")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return getattr(loaded, attribute)


def random_phase_ns(period_ns: int) -> int:
    """A place on the grid, drawn evenly from the whole period, ns.

    A phase that is the same each time could lock the samples to the steps of the training.
    """
    return int.from_bytes(os.urandom(8)) % period_ns


class Opening:
    """Opens all meters at once, so that a slow one does not hold up the others."""

    def __init__(self, meters: list[dict[str, Any]]) -> None:
        self._results: list[Opened | None] = [None] * len(meters)
        self._meters = meters
        self._threads = [
            Thread(target=self._open, args=(index,), daemon=True) for index in range(len(meters))
        ]

    def _open(self, index: int) -> None:
        meter = self._meters[index]
        options = {str(key): str(value) for key, value in meter.get("options", {}).items()}
        self._results[index] = open_meter(meter["name"], lambda: load_meter(meter), options)

    def results(self, limit_s: float = _OPEN_LIMIT_S) -> list[Opened]:
        """Open, wait at most `limit_s`, and tell what became of each."""
        for thread in self._threads:
            thread.start()
        deadline_ns = now_ns() + int(limit_s * NS_PER_S)
        for thread in self._threads:
            thread.join(max(0.0, (deadline_ns - now_ns()) / NS_PER_S))
        late = f"did not open within {limit_s:g} s"
        pairs = zip(self._meters, self._results, strict=True)
        return [result or Opened(meter["name"], None, late) for meter, result in pairs]


def accept(opened: list[Opened], origin_ns: int) -> tuple[list[Member], list[dict[str, str]]]:
    """Members from opened meters; a meter whose domain names are taken is turned away."""
    taken: dict[str, str] = {}
    members: list[Member] = []
    failed: list[dict[str, str]] = []
    for name, reader, reason in opened:
        names = [spec.name for spec in reader.domains] if reader else []
        clash = next((item for item in names if item in taken or names.count(item) > 1), None)
        if reader is None or not names or clash:
            why = reason or (
                f"the domain '{clash}' is read by {taken.get(clash, 'itself')} already"
                if clash
                else "it has no domain to read"
            )
            failed.append({"meter": name, "reason": why})
            continue
        taken.update(dict.fromkeys(names, name))
        members.append(Member(name, reader, origin_ns))
    return members, failed


class Sampler:
    """Lanes of meters, the files that they fill and the lines that go to the conductor."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.period_s = float(config.get("period_s", 0.1))
        self.status_s = max(float(config.get("status_period_s", 1.0)), 0.1)
        self.origin_ns = int(config["origin_ns"])
        self.phase_ns = 0
        self.members: list[Member] = []
        self.lanes: list[Lane] = []
        self.vitals: Any = None
        self._config = config
        self._trace_fd = -1
        self._vitals_fd = -1
        self._cpu_before_s = 0.0
        self._told: dict[str, tuple[float, int]] = {}
        self._pending: list[bytes] = []

    def open(self) -> None:
        """Open meters and files, take the first reading, tell the conductor."""
        opened = Opening(list(self._config["meters"])).results()
        self.members, failed = accept(opened, self.origin_ns)
        self._trace_fd = _create(self._config["trace_path"], TRACE_HEADER)
        if self._config.get("vitals_path"):
            from harness.measure.vitals import Vitals

            self.vitals = Vitals()
            self._vitals_fd = _create(self._config["vitals_path"], VITALS_HEADER)
            self._look_at_vitals()
        self._first_readings()
        self._cpu_before_s = _cpu_s()
        fields = [domain_fields(spec) for member in self.members for spec in member.reader.domains]
        _say({"type": "ready", "domains": fields, "failed": failed})
        for lane in self.lanes:
            lane.start()

    def _first_readings(self) -> None:
        self.phase_ns = now_ns() + random_phase_ns(int(self.period_s * NS_PER_S))
        fast: list[Member] = []
        rows: list[str] = []
        for member in self.members:
            begin_ns = now_ns()
            rows += member.take(mark=True)
            slow_s = float(getattr(member.reader, "period_s", 0.0))
            if slow_s > self.period_s or now_ns() - begin_ns > _SLOW_READ_S * NS_PER_S:
                self.lanes.append(self._lane([member], max(slow_s, self.period_s)))
            else:
                fast.append(member)
        if fast:
            self.lanes.append(self._lane(fast, self.period_s))
        _append(self._trace_fd, "".join(rows))

    def _lane(self, members: list[Member], period_s: float) -> Lane:
        realtime = bool(self._config.get("realtime", True))
        return Lane(members, int(period_s * NS_PER_S), self.phase_ns, realtime=realtime)

    def run(self) -> None:
        """Serve until `stop` or the end of the input."""
        status_ns = vitals_ns = watch_ns = now_ns()
        buffered = b""
        while True:
            left_s = max(0.0, (min(watch_ns, status_ns) - now_ns()) / NS_PER_S)
            if select.select([0], [], [], left_s)[0]:
                piece = os.read(0, 65536)
                lines, _, buffered = (buffered + piece).rpartition(b"\n")
                if not piece or not self._obey(lines.split(b"\n")):
                    return
            now = now_ns()
            watch_ns = self._look_after_lanes(now)
            if now >= status_ns:
                status_ns = self._after_a_read(now + int(self.status_s * NS_PER_S))
                self._flush()
                self._status()
            if now >= vitals_ns:
                vitals_ns = now + int(_VITALS_S * NS_PER_S)
                self._look_at_vitals()

    def _after_a_read(self, wanted_ns: int) -> int:
        """The moment just after the last place of the grid before another one, ns.

        Where both threads wake together, the second finds the caches as the first left them.
        """
        if self.period_s > self.status_s:
            return wanted_ns
        past_ns = (wanted_ns - self.phase_ns) % int(self.period_s * NS_PER_S)
        return wanted_ns - past_ns + _AFTER_READ_NS

    def _obey(self, lines: list[bytes]) -> bool:
        """Follow commands; False at `stop`."""
        for line in lines:
            word = line.strip().strip(b'"')
            if word == b"stop" or b'"stop"' in word:
                return False
            if b"read_now" in word:
                for lane in self.lanes:
                    lane.mark()
        return True

    def _look_after_lanes(self, now: int) -> int:
        """Part members that hold up others; returns when to look again, ns.

        A read that is going on is looked at again as soon as it may count as stuck, so that one
        which begins at any time holds up the others for a second at most.
        """
        next_ns = now + NS_PER_S
        for lane in tuple(self.lanes):
            current = lane.current
            if current is None:
                continue
            member, since_ns = current
            if now - since_ns <= _STUCK_NS:
                next_ns = min(next_ns, since_ns + _STUCK_NS + 1)
                continue
            member.fault("", f"a read has taken more than {_STUCK_NS / NS_PER_S:g} s")
            others = lane.split(member)
            if others is not None:
                self.lanes.append(others)
                others.start()
        return next_ns

    def _flush(self) -> None:
        _append(self._trace_fd, "".join(lane.drain() for lane in self.lanes))

    def _look_at_vitals(self) -> None:
        if self.vitals is None:
            return
        t_ns = now_ns() - self.origin_ns
        values = dict(self.vitals.read())
        for member in self.members:
            values.update(_vitals_of(member))
        _append(self._vitals_fd, "".join(f"{t_ns},{key},{values[key]:.9g}\n" for key in values))

    def _status(self) -> None:
        """Tell watts and joules, and any new fault, unless the conductor is not reading."""
        live = {name: entry_ for member in self.members for name, entry_ in member.live.items()}
        status = {
            "type": "status",
            "t_ns": now_ns() - self.origin_ns,
            "watts": {name: item.watts for name, item in live.items() if item.watts is not None},
            "joules": {name: element.joules for name, element in live.items()},
        }
        self._gather_faults()
        for line in (*self._pending, _line(status)):
            if not select.select([], [1], [], 0)[1]:
                return
            os.write(1, line)
            self._pending = self._pending[1:]

    def _gather_faults(self) -> None:
        for member in self.members:
            faults, member.faults = member.faults, []
            for fault in faults:
                fields = fault._asdict() | {"t_ns": fault.t_ns - self.origin_ns}
                self._pending.append(_line({"type": "fault", **fields}))

    def close(self) -> None:
        """Take the last reading, close the meters, report."""
        for lane in self.lanes:
            lane.stop()
        deadline_ns = now_ns() + int(_LAST_READ_S * NS_PER_S)
        for lane in self.lanes:
            if not lane.join(max(0.0, (deadline_ns - now_ns()) / NS_PER_S)):
                for member in lane.members:
                    member.fault("", "still blocked when the run ended; its last part is missing")
        self._flush()
        self._look_at_vitals()
        self._gather_faults()
        for line in self._pending:
            _write_all(1, line)
        _say({"type": "report", **self._report()})

    def _report(self) -> dict[str, Any]:
        spans = [(member.first_ns, member.last_ns) for member in self.members if member.first_ns]
        gaps = [live.gap_max_ns for member in self.members for live in member.live.values()]
        main = max(self.lanes, key=lambda lane: lane.reads_count, default=None)
        helpers = {name: s for lane in self.lanes for name, s in lane.helpers.items()}
        return {
            "period_s": self.period_s,
            "reads_count": sum(lane.reads_count for lane in self.lanes) + len(self.members),
            "readings_count": sum(member.readings_count for member in self.members),
            "cpu_s": _cpu_s(),
            "import_cpu_s": self._cpu_before_s,
            "duration_s": (max(s[1] for s in spans) - min(s[0] for s in spans)) / NS_PER_S
            if spans
            else 0.0,
            "peak_rss_bytes": _peak_rss_bytes(),
            "jitter_p50_s": main.lateness.quantile_s(0.5) if main else None,
            "jitter_p99_s": main.lateness.quantile_s(0.99) if main else None,
            "gap_max_s": max(gaps) / NS_PER_S if any(gaps) else None,
            "realtime": bool(self.lanes) and all(lane.realtime for lane in self.lanes),
            "core": self._config.get("core"),
            "helpers_cpu_s": helpers,
        }


def _vitals_of(member: Member) -> dict[str, float]:
    """What the meter itself watches, as clocks and throttle reasons; empty where it does not."""
    look = getattr(member.reader, "vitals", None)
    if look is None:
        return {}
    try:
        return dict(look())
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        member.fault("", f"vitals: {type(error).__name__}: {error}")
        return {}


def _create(path: str, header: str) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    _append(fd, header)
    return fd


def _append(fd: int, text: str) -> None:
    """One write for whole lines; what a full disk cut short is written on, or fails loudly."""
    if text:
        _write_all(fd, text.encode())


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


_ENCODE = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes an encoder anew for each call with options."""


def _line(message: Mapping[str, Any]) -> bytes:
    return (_ENCODE(message) + "\n").encode()


def _say(message: Mapping[str, Any]) -> None:
    _write_all(1, _line(message))


def _cpu_s() -> float:
    """CPU seconds of this process and of the children that it has reaped."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _peak_rss_bytes() -> int:
    """Peak resident memory; `getrusage` would tell the parent's from before `exec`."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").split("\n"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _first_line() -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            break
        data += piece
    return data


def main() -> int:
    """Serve one run; 0 when the report was given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = json.loads(_first_line())
    if config.get("core") is not None:
        os.sched_setaffinity(0, {int(config["core"])})
    sampler = Sampler(config)
    sampler.open()
    try:
        sampler.run()
    finally:
        sampler.close()
    return 0


if __name__ == "__main__":
    code = main()
    # Threads that a meter still blocks must not hold the process.
    os._exit(code)
