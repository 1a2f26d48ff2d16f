"""Estimated joules by codecarbon's offline tracker, in a process of its own: never a measurement.

With no sensor, codecarbon tells the processor's joules from its load and a table of ratings
(`TDP * (0.1 + 0.9 * load ** 3)`) and the memory's from its size. Both are off by tens of percent
against a meter, and by different tens for different work; so the domains are named
`cpu-modelled` and `dram-modelled` and their method is `modelled`.
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
from harness.plugins import Availability, Domain, Reader, Reading

_START_LIMIT_S = 14.0
_MARK_LIMIT_S = 0.5
_PERIOD_S = 1.0
_PASSED_OVER_S = 0.06
"""codecarbon makes no new estimate within 50 ms of the last."""
_TRIES = 4
_J_PER_KWH = 3_600_000.0

_CPU_ERROR_RATIO = 0.7
"""Error of the load model against RAPL at 30 % load in codecarbon's own profiling tables."""

_DRAM_ERROR_RATIO = 1.0
"""5 W for each guessed memory module: nothing about it is measured."""


def tracker_options(country: str) -> dict[str, Any]:
    """Every option of the tracker, pinned, so that no configuration file has a say."""
    return {
        "project_name": "joulemark",
        "measure_power_secs": 1e6,  # this module asks for each figure itself
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
    """Without codecarbon's variables, and without a home that could hold its configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    root = str(Path(harness.__file__).resolve().parent.parent)
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return kept | threads | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}


class CodecarbonReader(Reader):
    """The child process and its last rows."""

    period_s = _PERIOD_S
    """Asking more often would only repeat the last figure."""

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
        self.domains: Sequence[Domain] = self._domains(self._hello())

    def _hello(self) -> dict[str, Any]:
        self._hear(_START_LIMIT_S)
        if not self._rows:
            self.close()
            raise OSError("codecarbon's process ended or said nothing while it started")
        hello = self._rows.pop(0)
        if "error" in hello:
            self.close()
            raise OSError(str(hello["error"]))
        return hello

    @staticmethod
    def _domains(hello: Mapping[str, Any]) -> tuple[Domain, ...]:
        source = f"codecarbon {hello['version']}, {hello['hardware']}"
        cpu = Domain(
            name="cpu-modelled",
            kind="cpu",
            method="modelled",
            meter="codecarbon",
            source=f"{source}, {hello['cpu_model']}",
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
        return cpu, dram

    def _hear(self, timeout_s: float) -> None:
        """Take in rows; wait for at least one at most `timeout_s`."""
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
        """Ask for a figure of this moment and wait for it, at most half a second."""
        self._hear(0.0)
        kept, self._rows = self._rows, []
        self._ask(b"now\n")
        self._hear(_MARK_LIMIT_S)
        self._rows = kept + self._rows

    def _ask(self, line: bytes) -> None:
        self._stdin.write(line)

    def read(self) -> Sequence[Reading]:
        """All rows since the last read, with the stamps of the child.

        Raises:
            OSError: the child has died.
        """
        self._hear(0.0)
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
        """End the child; its CPU seconds under the name `codecarbon`."""
        try:
            self._ask(b"stop\n")
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
        """There where codecarbon is installed; it needs no sensor."""
        if importlib.util.find_spec("codecarbon") is None:
            return Availability(
                ok=False, reason="codecarbon is not installed", advice="pip install codecarbon"
            )
        return Availability(ok=True, reason="estimates from load and ratings, measures nothing")

    def open(self, options: Mapping[str, str]) -> CodecarbonReader:
        """Start the child and wait for its first figure; option `country` (ISO code, `USA`)."""
        unknown = set(options) - {"country"}
        if unknown:
            raise ValueError(
                f"codecarbon meter: unknown option '{min(unknown)}'; there is: country"
            )
        return CodecarbonReader(options.get("country", "USA"))


METER = CodecarbonMeter()


# --- the child ------------------------------------------------------------------------------------


class _Figures:
    """An output of codecarbon that keeps the last total."""

    def __init__(self) -> None:
        self.total: Any = None

    def out(self, total: Any, _delta: Any) -> None:
        self.total = total

    def live_out(self, _total: Any, _delta: Any) -> None:
        return

    def task_out(self, _data: Any, _experiment: str) -> None:
        return

    def exit(self) -> None:
        return


def _say(row: Mapping[str, Any]) -> None:
    os.write(1, (json.dumps(row) + "\n").encode())


class _Child:
    """Drives the tracker by `flush`, its public call, about once a second."""

    def __init__(self, country: str) -> None:
        from codecarbon import OfflineEmissionsTracker

        self._figures = _Figures()
        options = tracker_options(country) | {"output_handlers": [self._figures]}
        self._tracker = OfflineEmissionsTracker(**options)
        self._tracker.start()
        self._told_j = 0.0
        # The first figure pays for all that codecarbon loads late.
        self.row()

    def _fresh(self) -> bool:
        """Whether the last flush made a new estimate.

        Within 50 ms of the one before, codecarbon hands the old joules out once more.
        """
        total = self._figures.total
        joules = 0.0 if total is None else (total.cpu_energy + total.ram_energy) * _J_PER_KWH
        told_j, self._told_j = self._told_j, max(self._told_j, joules)
        return joules > told_j

    def hello(self) -> dict[str, Any]:
        """What stands behind the figures, or the error."""
        from codecarbon._version import __version__

        total = self._figures.total
        hardware = list(self._tracker._conf.get("hardware", []))  # noqa: SLF001 - told nowhere else
        if total is None or total.cpu_power <= 0:
            return {"error": "codecarbon gave no figure for this machine"}
        if any("Rapl" in item or "Gadget" in item for item in hardware):
            return {"error": f"codecarbon took a sensor instead of its model: {hardware}"}
        return {
            "version": __version__,
            "hardware": " + ".join(hardware),
            "cpu_model": str(total.cpu_model).strip(),
        }

    def row(self) -> dict[str, Any] | None:
        """A new estimate, stamped in the middle of the call that made it.

        None where codecarbon makes none: an old one must not get a new stamp.
        """
        for _ in range(_TRIES):
            begin_ns = now_ns()
            self._tracker.flush()
            end_ns = now_ns()
            if self._fresh():
                return self._told(begin_ns, end_ns)
            time.sleep(_PASSED_OVER_S)
        return None

    def _told(self, begin_ns: int, end_ns: int) -> dict[str, Any]:
        total = self._figures.total
        return {
            "t_ns": (begin_ns + end_ns) // 2,
            "u_ns": (end_ns - begin_ns) // 2,
            "cpu_j": total.cpu_energy * _J_PER_KWH,
            "dram_j": total.ram_energy * _J_PER_KWH,
            "cpu_s": time.process_time(),
        }

    def tell(self) -> None:
        """Say a new estimate to the parent, where there is one."""
        row = self.row()
        if row is not None:
            _say(row)


def main() -> int:
    """Serve rows on standard output until `stop`."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = _Child(sys.argv[1])
        hello = child.hello()
    except Exception as error:  # noqa: BLE001 - told to the parent, which names it
        hello = {"error": f"codecarbon does not start: {type(error).__name__}: {error}"}
    _say(hello)
    if "error" in hello:
        return 1
    deadline_ns = now_ns()
    while True:
        left_s = max(0.0, (deadline_ns - now_ns()) / NS_PER_S)
        if select.select([0], [], [], left_s)[0] and os.read(0, 4096) in (b"", b"stop\n"):
            child.tell()
            return 0
        deadline_ns = now_ns() + int(_PERIOD_S * NS_PER_S)
        child.tell()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
