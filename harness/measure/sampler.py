"""The sampler process: reads the meters during a run and writes their readings to the trace.

It imports the standard library and the meters' own libraries, nothing else. The protocol is one
JSON object per line. On standard input: first the configuration, whose meters are opened at once;
then the files and time 0 of a trace, and reading begins; then `read_now` and `stop` (a closed input
means `stop` too, so that the sampler never outlives its conductor). On standard output: `ready`,
`begun`, `status`, `fault` and at the end `report`. So the process is started and its meters are
opened early, and a measurement begins within milliseconds.
"""

import json
import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S, now_ns
from harness.measure.opening import dead_domains, open_meters, start_sessions
from harness.measure.sampling_thread import SamplingThread
from harness.measure.session import MeterSession

TRACE_HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"
VITALS_HEADER = "t_ns,name,value\n"

_LAST_READ_S = 4.0
"""How long the last readings may take before a meter is abandoned."""

_COUNTER_WAIT_S, _POWER_WAIT_S = 2.7, 1.2
"""A sensor that has not changed so long after the end is not waited for: a counter that is
refreshed once a second has changed twice by then, and a log has a row of each second."""
_WAIT_PAUSE_S = 0.01

_STUCK_NS = NS_PER_S // 2
"""A read that takes longer is moved to a thread of its own."""

_AFTER_READ_NS = 200_000
"""A read of meters in memory has ended by then."""

_VITALS_S = 2.0
"""How often the machine is watched: the kernel updates its own figures no more often (pressure
every two seconds, load every five)."""

_SLOW_READ_S = 0.02
"""Meters that take longer for a read, or say so, get a thread of their own from the start."""


def random_phase_ns(period_ns: int) -> int:
    """A phase of the time grid, uniform over the whole period, ns.

    A phase that is the same in each run could synchronize the samples with the training steps.
    """
    return int.from_bytes(os.urandom(8)) % period_ns


class Sampler:
    """The sampling threads, the files that they fill and the lines sent to the conductor."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.period_s = float(config.get("period_s", 0.1))
        self.status_s = max(float(config.get("status_period_s", 1.0)), 0.1)
        self.origin_ns = 0
        self.phase_ns = 0
        self.sessions: list[MeterSession] = []
        self.threads: list[SamplingThread] = []
        self.vitals: Any = None
        self._config = config
        self._trace_fd = -1
        self._vitals_fd = -1
        self._cpu_before_s = 0.0
        self._pending: list[bytes] = []

    def open(self) -> None:
        """Open the meters and report to the conductor."""
        from harness.measure.vitals import Vitals

        opened = open_meters(list(self._config["meters"]))
        self.sessions, failed = start_sessions(opened)
        self.vitals = Vitals()
        specs = [spec for session in self.sessions for spec in session.domains]
        ready = {
            "type": "ready",
            "domains": list(map(asdict, specs)),
            "failed": failed,
            "dead": dead_domains(opened),
        }
        _write_all(1, _line(ready))

    def begin(self, trace: Mapping[str, Any]) -> None:
        """Create the files, take the first reading, start the threads, report to the conductor.

        Args:
            trace: `origin_ns`, `trace_path` and `vitals_path`.
        """
        self.origin_ns = int(trace["origin_ns"])
        self._trace_fd = _create(trace["trace_path"], TRACE_HEADER)
        self._vitals_fd = _create(trace["vitals_path"], VITALS_HEADER)
        self.phase_ns = now_ns() + random_phase_ns(int(self.period_s * NS_PER_S))
        fast: list[MeterSession] = []
        for session in self.sessions:
            session.origin_ns, begin_ns = self.origin_ns, now_ns()
            slow_s = session.reader.period_s
            if slow_s <= self.period_s:
                _write_all(self._trace_fd, "".join(session.read(mark=True)).encode())
            if slow_s > self.period_s or now_ns() - begin_ns > _SLOW_READ_S * NS_PER_S:
                self._add_thread([session], max(slow_s, self.period_s))
                self.threads[-1].mark()
            else:
                fast.append(session)
        if fast:
            self._add_thread(fast, self.period_s)
        self._cpu_before_s = _cpu_s()
        for thread in self.threads:
            thread.start()
        _write_all(1, _line({"type": "begun"}))

    def _add_thread(self, sessions: list[MeterSession], period_s: float) -> None:
        realtime, period_ns = bool(self._config.get("realtime", True)), int(period_s * NS_PER_S)
        self.threads.append(SamplingThread(sessions, period_ns, self.phase_ns, realtime=realtime))

    def run(self) -> None:
        """Serve until `stop` or the end of the input."""
        status_ns = vitals_ns = check_ns = now_ns()
        buffered = b""
        while True:
            left_s = max(0.0, (min(check_ns, status_ns) - now_ns()) / NS_PER_S)
            if select.select([0], [], [], left_s)[0]:
                piece = os.read(0, 65536)
                lines, _, buffered = (buffered + piece).rpartition(b"\n")
                if not piece:
                    return
                if not self._obey(lines.split(b"\n")):
                    self._await_changes()
                    return
            now = now_ns()
            check_ns = self._separate_stuck(now)
            if now >= status_ns:
                status_ns = self._after_a_read(now + int(self.status_s * NS_PER_S))
                self._flush()
                self._send_status()
            if now >= vitals_ns:
                vitals_ns = now + int(_VITALS_S * NS_PER_S)
                self._write_vitals()

    def _await_changes(self) -> None:
        """Read on until every sensor has changed after the end: one that has stopped shows so."""
        begin_ns = now_ns()
        waiting = {
            spec.name: (session, _COUNTER_WAIT_S if spec.method == "counter" else _POWER_WAIT_S)
            for session in self.sessions
            for spec in session.domains
            if spec.method in ("counter", "sampled") and not set(spec.parents) & session.last.keys()
        }
        first: dict[str, tuple[float | None, float | None]] = {}
        for thread in self.threads:
            thread.mark()
        while waiting:
            time.sleep(_WAIT_PAUSE_S)
            self._flush()
            passed_s = (now_ns() - begin_ns) / NS_PER_S
            for name, (session, limit_s) in tuple(waiting.items()):
                last = session.last.get(name)
                values = (last.energy_j, last.power_w) if last and last.t_ns > begin_ns else None
                if passed_s > limit_s or (values and first.setdefault(name, values) != values):
                    del waiting[name]

    def _after_a_read(self, wanted_ns: int) -> int:
        """A time just after the last place of the grid before `wanted_ns`.

        Where both threads wake together, the second finds warm caches.
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
                for thread in self.threads:
                    thread.mark()
        return True

    def _separate_stuck(self, now: int) -> int:
        """Move meters that delay others to threads of their own; returns when to check again, ns.

        A read that is going on is checked as soon as it may count as stuck, so that it delays the
        others by a second at most.
        """
        next_ns = now + NS_PER_S
        for thread in tuple(self.threads):
            if thread.current is None:
                continue
            session, since_ns = thread.current
            if now - since_ns <= _STUCK_NS:
                next_ns = min(next_ns, since_ns + _STUCK_NS + 1)
                continue
            session.fault("", f"a read has taken more than {_STUCK_NS / NS_PER_S:g} s")
            others = thread.split(session)
            if others is not None:
                self.threads.append(others)
                others.start()
        return next_ns

    def _flush(self) -> None:
        _write_all(self._trace_fd, "".join(thread.drain() for thread in self.threads).encode())

    def _write_vitals(self) -> None:
        t_ns = now_ns() - self.origin_ns
        values = dict(self.vitals.read())
        for session in self.sessions:
            values.update(session.vitals())
        rows = "".join(f"{t_ns},{key},{values[key]:.9g}\n" for key in values)
        _write_all(self._vitals_fd, rows.encode())

    def _send_status(self) -> None:
        """Send the last readings and any new fault, unless the conductor is not reading."""
        last = [reading for session in self.sessions for reading in session.last.values()]
        status = {"type": "status", "t_ns": now_ns() - self.origin_ns, "readings": last}
        self._collect_faults()
        for line in (*self._pending, _line(status)):
            if not select.select([], [1], [], 0)[1]:
                return
            os.write(1, line)
            self._pending = self._pending[1:]

    def _collect_faults(self) -> None:
        for session in self.sessions:
            faults, session.faults = session.faults, []
            for fault in faults:
                fields = fault._asdict() | {"t_ns": fault.t_ns - self.origin_ns}
                self._pending.append(_line({"type": "fault", **fields}))

    def close(self) -> None:
        """Take the last reading, close the meters, send the report."""
        for thread in self.threads:
            thread.stop()
        deadline_ns = now_ns() + int(_LAST_READ_S * NS_PER_S)
        for thread in self.threads:
            if not thread.join(max(0.0, (deadline_ns - now_ns()) / NS_PER_S)):
                for session in thread.sessions:
                    session.fault("", "still blocked when the run ended; its last part is missing")
        self._flush()
        self._write_vitals()
        self._collect_faults()
        for line in (*self._pending, _line({"type": "report", **self._report()})):
            _write_all(1, line)

    def _report(self) -> dict[str, Any]:
        """The fields of `records.SamplerReport`."""
        read = [session for session in self.sessions if session.first_ns is not None]
        begin_ns = min((session.first_ns or 0 for session in read), default=0)
        end_ns = max((session.last_ns for session in read), default=0)
        gap_ns = max((session.gap_max_ns for session in self.sessions), default=0)
        main = max(self.threads, key=lambda thread: thread.reads_count, default=None)
        return {
            "period_s": self.period_s,
            "reads_count": sum(thread.reads_count for thread in self.threads) + len(self.sessions),
            "readings_count": sum(session.readings_count for session in self.sessions),
            "cpu_s": _cpu_s(),
            "import_cpu_s": self._cpu_before_s,
            "duration_s": (end_ns - begin_ns) / NS_PER_S,
            "peak_rss_bytes": _peak_rss_bytes(),
            "jitter_p50_s": main.jitter.quantile_s(0.5) if main else None,
            "jitter_p99_s": main.jitter.quantile_s(0.99) if main else None,
            "gap_max_s": gap_ns / NS_PER_S if gap_ns else None,
            "realtime": bool(self.threads) and all(thread.realtime for thread in self.threads),
            "core": self._config.get("core"),
            "helpers_cpu_s": {
                name: cpu_s for thread in self.threads for name, cpu_s in thread.helpers.items()
            },
        }


def _create(path: str, header: str) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    _write_all(fd, header.encode())
    return fd


def _write_all(fd: int, data: bytes) -> None:
    """One write for complete lines; the rest follows where a full disk cut it short, or fails."""
    while data:
        data = data[os.write(fd, data) :]


_ENCODE = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes a new encoder for each call with options."""


def _line(message: Mapping[str, Any]) -> bytes:
    return (_ENCODE(message) + "\n").encode()


def _cpu_s() -> float:
    """CPU seconds of this process and of the children that it has reaped."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _peak_rss_bytes() -> int:
    """Peak resident memory; `getrusage` includes the parent's from before `exec`."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").split("\n"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _next_line() -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            break
        data += piece
    return data


def main() -> int:
    """Serve one run; 0 when the report was sent, or no run began."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = json.loads(_next_line())
    if config.get("core") is not None:
        os.sched_setaffinity(0, {int(config["core"])})
    sampler = Sampler(config)
    sampler.open()
    trace = _next_line()
    if not trace.startswith(b"{"):
        for session in sampler.sessions:
            session.close()
        return 0
    sampler.begin(json.loads(trace))
    try:
        sampler.run()
    finally:
        sampler.close()
    return 0


if __name__ == "__main__":
    code = main()
    # Threads that a meter still blocks must not hold the process.
    os._exit(code)
