"""Estimates energy with codecarbon's offline tracker in a process of its own; not a measurement.

Without a sensor, codecarbon computes processor energy from load and rated power
(`TDP * (0.1 + 0.9 * load ** 3)`) and memory energy from its size. Both differ from a meter by tens
of percent, depending on the work, so the method of both domains is `modelled`.
"""

import importlib.util
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import harness
from harness.clock import NS_PER_S, now_ns
from harness.meters._sensing import check_options, timed
from harness.plugins import Availability, Domain, Reader, Reading

_START_LIMIT_S = 14.0
_MARK_LIMIT_S = 0.5
_PERIOD_S = 1.0
_RETRY_S, _RETRIES = 0.06, 4
"""codecarbon makes no new estimate within 50 ms of the last one."""
_J_PER_KWH = 3_600_000.0

_CPU_ERROR_RATIO = 0.7
"""Error of the load model against RAPL at 30 % load in codecarbon's own profiling tables."""

_DRAM_ERROR_RATIO = 1.0
"""5 W for each guessed memory module: nothing about it is measured."""


def tracker_options(country: str) -> dict[str, Any]:
    """Return every option of the tracker, so that no configuration file changes one."""
    return {
        "project_name": "joulemark",
        "measure_power_secs": 1e6,  # this module asks for each estimate itself
        "api_call_interval": -1,
        "api_endpoint": "",
        "api_key": "none",
        "output_dir": ".",
        "output_file": "none.csv",
        "output_methods": [],
        "gpu_ids": [],
        "emissions_endpoint": None,
        "experiment_id": "none",
        "experiment_name": "none",
        "tracking_mode": "machine",
        "log_level": "critical",
        "on_csv_write": "append",
        "logger_preamble": "",
        "force_cpu_power": None,
        "force_ram_power": None,
        "pue": 1.0,
        "wue": 0.0,
        "force_carbon_intensity_g_co2e_kwh": None,
        "force_mode_cpu_load": True,
        "allow_multiple_runs": True,
        "rapl_include_dram": False,
        "rapl_prefer_psys": False,
        "country_iso_code": country,
        "region": None,
        "cloud_provider": None,
        "cloud_region": None,
    }


def _environment() -> dict[str, str]:
    """Return an environment without codecarbon's variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    root = str(Path(harness.__file__).resolve().parent.parent)
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return kept | threads | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}


class CodecarbonReader(Reader):
    """Reads the rows that the child process writes."""

    period_s = _PERIOD_S
    """Asking more often would only repeat the last estimate."""

    def __init__(self, country: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="joulemark-codecarbon-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "harness.meters.codecarbon", country],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=self._folder.name,
            env=_environment() | {"HOME": self._folder.name},
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._buffer = b""
        self._rows: list[dict[str, Any]] = []
        self._cpu_s = 0.0
        self._receive(_START_LIMIT_S)
        first = self._rows.pop(0) if self._rows else {"error": "codecarbon's process did not start"}
        if "error" in first:
            self.close()
            raise OSError(str(first["error"]))
        source = f"codecarbon {first['version']}, {first['hardware']}"
        cpu = Domain(
            name="cpu-modelled",
            kind="cpu",
            method="modelled",
            meter="codecarbon",
            source=f"{source}, {first['cpu_model']}",
            update_period_s=_PERIOD_S,
            gain_error_ratio=_CPU_ERROR_RATIO,
        )
        dram = replace(
            cpu,
            name="dram-modelled",
            kind="dram",
            source=f"{source}, from the memory's size",
            gain_error_ratio=_DRAM_ERROR_RATIO,
        )
        self.domains: Sequence[Domain] = (cpu, dram)

    def _receive(self, timeout_s: float) -> None:
        """Read the rows that are there; wait at most `timeout_s` for the first."""
        deadline_ns = now_ns() + int(timeout_s * NS_PER_S)
        fd = self._stdout.fileno()
        while True:
            left_s = max(0.0, (deadline_ns - now_ns()) / NS_PER_S)
            if not select.select([fd], [], [], 0.0 if self._rows else left_s)[0]:
                return
            piece = os.read(fd, 65536)
            if not piece:
                return
            *lines, self._buffer = (self._buffer + piece).split(b"\n")
            self._rows += [json.loads(line) for line in lines]

    def mark(self) -> None:
        """Ask for a new estimate and wait for it, at most half a second."""
        self._receive(0.0)
        earlier, self._rows = self._rows, []
        self._stdin.write(b"now\n")
        self._receive(_MARK_LIMIT_S)
        self._rows = earlier + self._rows

    def read(self) -> Sequence[Reading]:
        """Return all estimates since the last read, with the times that the child gave them.

        Raises:
            OSError: the child has died.
        """
        self._receive(0.0)
        rows, self._rows = self._rows, []
        if not rows and self._process.poll() is not None:
            raise OSError(f"codecarbon's process has ended with code {self._process.returncode}")
        readings = []
        for row in rows:
            self._cpu_s = row["cpu_s"]
            for name, key in (("cpu-modelled", "cpu_j"), ("dram-modelled", "dram_j")):
                readings.append(Reading(row["t_ns"], name, row[key], None, row["u_ns"]))
        return readings

    def close(self) -> Mapping[str, float]:
        """End the child; returns its CPU seconds under the name `codecarbon`."""
        try:
            self._stdin.write(b"stop\n")
            self._process.wait(timeout=3.0)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._stdin.close()
        self._stdout.close()
        self._folder.cleanup()
        return {"codecarbon": self._cpu_s}


class CodecarbonMeter:
    """The plug-in; chosen where no sensor covers the processor."""

    origin = "modelled"
    kinds = ("cpu", "dram")

    def probe(self) -> Availability:
        """Check that codecarbon is installed; it needs no sensor."""
        if importlib.util.find_spec("codecarbon") is None:
            return Availability(
                ok=False, reason="codecarbon is not installed", advice="pip install codecarbon"
            )
        return Availability(ok=True, reason="estimates from load and ratings, measures nothing")

    def open(self, options: Mapping[str, str]) -> CodecarbonReader:
        """Start the child and wait for its first row; option `country` (ISO code, `USA`)."""
        check_options("codecarbon", options, ("country",))
        return CodecarbonReader(options.get("country", "USA"))


METER = CodecarbonMeter()


# --- the child ------------------------------------------------------------------------------------


class _LastTotal:
    """An output handler of codecarbon that keeps the last total."""

    def __init__(self) -> None:
        self.total: Any = None

    def out(self, total: Any, _delta: Any) -> None:
        self.total = total

    live_out = task_out = exit = lambda *_: None


def _write_row(row: Mapping[str, Any]) -> None:
    os.write(1, (json.dumps(row) + "\n").encode())


class _Child:
    """Drives the tracker through `flush`, its public call, about once a second."""

    def __init__(self, country: str) -> None:
        from codecarbon import OfflineEmissionsTracker

        self._output = _LastTotal()
        options = tracker_options(country) | {"output_handlers": [self._output]}
        self._tracker = OfflineEmissionsTracker(**options)
        self._tracker.start()
        self._last_j = 0.0
        self.estimate()  # the first call loads what codecarbon imports late

    def describe(self) -> dict[str, Any]:
        """Return what the estimates are computed from, or an error."""
        from codecarbon._version import __version__

        total = self._output.total
        hardware = list(self._tracker._conf.get("hardware", []))  # noqa: SLF001 - no public name
        if total is None or total.cpu_power <= 0:
            return {"error": "codecarbon gave no estimate for this machine"}
        if any("Rapl" in name or "Gadget" in name for name in hardware):
            return {"error": f"codecarbon took a sensor instead of its model: {hardware}"}
        return {
            "version": __version__,
            "hardware": " + ".join(hardware),
            "cpu_model": str(total.cpu_model).strip(),
        }

    def estimate(self) -> dict[str, Any] | None:
        """Return a new estimate with the time of the call that made it.

        None where codecarbon repeats its last one, which must not get a new time.
        """
        for _ in range(_RETRIES):
            _, t_ns, u_ns = timed(self._tracker.flush)
            total = self._output.total
            joules = 0.0 if total is None else (total.cpu_energy + total.ram_energy) * _J_PER_KWH
            if joules > self._last_j:
                self._last_j = joules
                return {
                    "t_ns": t_ns,
                    "u_ns": u_ns,
                    "cpu_j": total.cpu_energy * _J_PER_KWH,
                    "dram_j": total.ram_energy * _J_PER_KWH,
                    "cpu_s": time.process_time(),
                }
            time.sleep(_RETRY_S)
        return None


def main() -> int:
    """Write estimates to standard output until `stop` arrives."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = _Child(sys.argv[1])
        first = child.describe()
    except Exception as error:  # noqa: BLE001 - reported to the parent process
        first = {"error": f"codecarbon does not start: {type(error).__name__}: {error}"}
    _write_row(first)
    if "error" in first:
        return 1
    stop, deadline_ns = False, now_ns()
    while not stop:
        left_s = max(0.0, (deadline_ns - now_ns()) / NS_PER_S)
        stop = bool(select.select([0], [], [], left_s)[0]) and os.read(0, 4096) in (b"", b"stop\n")
        deadline_ns = now_ns() + int(_PERIOD_S * NS_PER_S)
        if row := child.estimate():
            _write_row(row)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
