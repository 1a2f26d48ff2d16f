"""The conductor's handle of the sampler: start, messages, stop, compressed files."""

import contextlib
import gzip
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

import harness
from harness.clock import NS_PER_S, now_ns
from harness.measure.choice import MeterChoice
from harness.measure.energy import EnergyReader, contains
from harness.measure.limits import stands_in
from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.records import Domain, RecordError, SamplerReport
from harness.records.base import load

TRACE = "trace.csv.gz"
VITALS = "vitals.csv.gz"

_READY_LIMIT_S = 20.0
_LINE_BYTES_MAX = 1 << 16
"""No row is nearly as long as this."""
_REPORT_LIMIT_S = 10.0
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "HOME", "LANG", "TZ", "VIRTUAL_ENV")
_PASSED_PREFIXES = ("JOULEMARK_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_")


class MeteringError(RuntimeError):
    """The sampler did not start, or ended without its report; the message says why."""


class Status(NamedTuple):
    """Live figures of all domains, for the display alone."""

    t_ns: int
    """Nanoseconds after the run's origin."""
    watts: dict[str, float]
    joules: dict[str, float]
    """Since the first status."""


class _LiveEnergy:
    """Energy of the readings that come with each status, about one a second."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self._domains = {domain.name: domain for domain in domains}
        self._before: dict[str, _Row] = {}
        self._joules = dict.fromkeys(self._domains, 0.0)

    def status(self, t_ns: int, readings: Sequence[Sequence[Any]]) -> Status:
        """The figures after these readings, each `(t_ns, domain, energy_j, power_w, u_ns)`."""
        watts = {}
        for stamp_ns, name, energy_j, power_w, u_ns in readings:
            row = (stamp_ns, energy_j, power_w, u_ns)
            before = self._before.setdefault(name, row)
            rows = [before, row] if stamp_ns > before[0] else [row]
            self._before[name] = row
            columns = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
            t_s, *values = columns
            trace = Trace({name: Series(t_s.astype(np.int64), *values)})
            reader = EnergyReader(trace, [self._domains[name]])
            if len(power := reader.power(name).power_w):
                watts[name] = float(power[-1])
            if curve := reader.curve(name):
                self._joules[name] += float(curve.at(np.array(stamp_ns / NS_PER_S)))
        return Status(t_ns, watts, {name: self._joules[name] for name in self._before})


_Row = tuple[int, float | None, float | None, int]


def _environment() -> dict[str, str]:
    """Environment of the sampler: search paths, locale and device choices, nothing else."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_PREFIXES)
    }
    root = str(Path(harness.__file__).resolve().parent.parent)
    return kept | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


class DeadSensor(NamedTuple):
    """A domain of an opened meter that is not read since its sensor is dead."""

    domain: Domain
    reason: str
    replaced: bool
    """Whether live domains of the run read the same silicon, more, or the parts of a node."""


def dead_sensor(domain: Domain, reason: str, live: Sequence[Domain]) -> DeadSensor:
    """A dead sensor beside the live domains, with the parents that their meters name."""
    inside = any(contains(outer, domain) for outer in live)
    same = any(stands_in(item.name, domain.name) for item in live)
    # Without its node meter a machine has the boundary of its processors and devices.
    below = domain.kind in ("node", "wall") and any(item.kind == "cpu" for item in live)
    return DeadSensor(domain, reason, inside or same or below)


def limit_parents(domains: Sequence[Domain]) -> tuple[Domain, ...]:
    """The domains of a run with those parents alone that are read in it.

    A meter names every domain that may contain its own, also of other meters. A parent that is
    contained in its own child, directly or not, is left out too.
    """
    names = {domain.name for domain in domains}
    above: dict[str, list[str]] = {}

    def is_below(name: str, other: str) -> bool:
        return name == other or any(is_below(parent, other) for parent in above.get(name, ()))

    for domain in domains:
        above[domain.name] = []
        for parent in dict.fromkeys(domain.parents):
            if parent in names and not is_below(parent, domain.name):
                above[domain.name].append(parent)
    return tuple(replace(domain, parents=tuple(above[domain.name])) for domain in domains)


class Metering:
    """A running sampler.

    Attributes:
        domains: the domains that it reads.
        failed: chosen meters that did not open, with the reason.
        dead: domains of opened meters that are not read since their sensors are dead, with the
            reason.
        faults: faults since the start, as mappings with `meter`, `domain`, `message`, `t_ns`.
        latest: the last status, None before the first.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes] | None,
        period_s: float,
        errors: IO[bytes] | None = None,
    ) -> None:
        """Take a sampler that has been started and its errors; without one nothing is measured."""
        self._process = process
        self._errors = errors
        self._folder: Path | None = None
        self._note = ""
        self._period_s = period_s
        self._begun = False
        self._buffer = b""
        self._report: dict[str, Any] | None = None
        self.domains: tuple[Domain, ...] = ()
        self.failed: dict[str, str] = {}
        self.dead: tuple[DeadSensor, ...] = ()
        self.faults: list[dict[str, Any]] = []
        self.latest: Status | None = None
        self._live = _LiveEnergy(())

    @classmethod
    def prepare(cls, choice: Sequence[MeterChoice], period_s: float = 0.1) -> "Metering":
        """Start the sampler and let it open the meters, without waiting for them.

        Args:
            choice: meters to open; without any, nothing is started and there is no trace.
            period_s: time between two readings, seconds.
        """
        if not choice:
            return cls(None, period_s)
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        metering = cls(_spawn(errors), period_s, errors)
        meters = [asdict(item) for item in choice]
        config = {"meters": meters, "period_s": period_s, "status_period_s": 1.0}
        metering._send(json.dumps(config))
        return metering

    def begin(self, bundle_folder: Path, origin_ns: int) -> None:
        """Wait until every meter is open or has failed, and begin to read.

        Args:
            bundle_folder: where `trace.csv` and `vitals.csv` are written.
            origin_ns: `CLOCK_MONOTONIC` at time 0 of the trace.

        Raises:
            MeteringError: the sampler was not ready within 20 s.
        """
        if self._process is None:
            return
        self._wait_ready(lambda: bool(self.domains or self.failed))
        trace, vitals = (bundle_folder / name.removesuffix(".gz") for name in (TRACE, VITALS))
        files = {"trace_path": str(trace), "vitals_path": str(vitals)}
        self._folder = bundle_folder
        self._send(json.dumps({"origin_ns": origin_ns, **files}))
        self._wait_ready(lambda: self._begun)

    @classmethod
    def start(
        cls,
        choice: Sequence[MeterChoice],
        bundle_folder: Path,
        origin_ns: int,
        period_s: float = 0.1,
    ) -> "Metering":
        """Prepare a measurement and begin it."""
        metering = cls.prepare(choice, period_s)
        metering.begin(bundle_folder, origin_ns)
        return metering

    @property
    def pid(self) -> int | None:
        """Process id; None where nothing was started."""
        return self._process.pid if self._process else None

    def fileno(self) -> int:
        """Descriptor that becomes readable when the sampler sends something; -1 without one."""
        return self._process.stdout.fileno() if self._process and self._process.stdout else -1

    def pump(self) -> None:
        """Process what the sampler has sent, without waiting."""
        while self._receive(0.0):
            pass

    def mark(self) -> None:
        """Request a reading at once, at an edge of the window. Returns without waiting."""
        self._send("read_now")

    def stop(self) -> SamplerReport | None:
        """Take the last reading, end the sampler, compress its files.

        Raises:
            MeteringError: it ended without a report; its files are compressed all the same.
        """
        if self._process is None:
            return None
        self._send("stop")
        self._wait(lambda: self._report is not None, _REPORT_LIMIT_S)
        self._end()
        if self._report is None:
            raise MeteringError(f"the sampler ended without its report{self._note}")
        try:
            return load(SamplerReport, self._report, "sampler")
        except RecordError as error:
            raise MeteringError(str(error)) from error

    def kill(self) -> None:
        """End it at once, without a report; its files are kept and compressed."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def _end(self) -> None:
        """Wait for the process, keep what it said last, and compress its files."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._errors is not None and not self._errors.closed:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            self._note = f": {lines[-1]}" if lines else ""
            self._errors.close()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                cast("IO[bytes]", pipe).close()
        if self._folder is not None:
            pack(self._folder)

    def _send(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        # If it has ended, the call that waits for its answer reports that.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _wait_ready(self, done: Callable[[], bool]) -> None:
        if not self._wait(done, _READY_LIMIT_S):
            self.kill()
            raise MeteringError(
                f"the sampler was not ready within {_READY_LIMIT_S:g} s{self._note}"
            )

    def _wait(self, done: Callable[[], bool], limit_s: float) -> bool:
        deadline_ns = now_ns() + int(limit_s * NS_PER_S)
        while not done():
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            if left_s <= 0 or not self._receive(left_s):
                return done()
        return True

    def _receive(self, timeout_s: float) -> bool:
        """Wait for output and process it; False where there was none, or no more will come."""
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return False
        if not select.select([self.fileno()], [], [], timeout_s)[0]:
            return False
        piece = os.read(self.fileno(), 65536)
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))
        return bool(piece)

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message.pop("type")
        if kind == "ready":
            asked = {"read_period_s": self._period_s}
            live = [load(Domain, item | asked, "sampler") for item in message["domains"]]
            self.dead = tuple(
                dead_sensor(load(Domain, item["domain"] | asked, "sampler"), item["reason"], live)
                for item in message.get("dead", ())
            )
            # What no live domain covers stays a domain without a figure, and so does the total.
            missing = [item.domain for item in self.dead if not item.replaced]
            self.domains = limit_parents([*live, *missing])
            self._live = _LiveEnergy(self.domains)
            self.failed = {item["meter"]: item["reason"] for item in message["failed"]}
        elif kind == "begun":
            self._begun = True
        elif kind == "status":
            self.latest = self._live.status(**message)
        elif kind == "fault":
            self.faults.append(message)
        elif kind == "report":
            self._report = message


def _spawn(errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the sampler in a session of its own, so that Ctrl-C reaches the conductor alone."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.measure.sampler"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(),
        start_new_session=True,
    )


def _complete_bytes(plain: Path) -> int:
    """Size of a table's complete lines: a sampler that was killed may leave part of one."""
    with plain.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size_bytes - _LINE_BYTES_MAX))
        return begin + file.read().rfind(b"\n") + 1


def pack(folder: Path) -> None:
    """Compress what the sampler wrote, reproducible byte for byte, and delete the plain files.

    An incomplete last line is cut off; a table without a complete line is deleted.
    """
    for name in (TRACE, VITALS):
        plain = folder / name.removesuffix(".gz")
        if not plain.exists():
            continue
        os.truncate(plain, _complete_bytes(plain))
        if not plain.stat().st_size:
            plain.unlink()
            continue
        with (
            plain.open("rb") as source,
            (folder / name).open("wb") as target,
            gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as packed,
        ):
            shutil.copyfileobj(source, packed)
        plain.unlink()
