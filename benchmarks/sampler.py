"""What the sampler costs: import, memory, CPU of each sample, and the size of an hour's trace.

python -m benchmarks.sampler [--seconds S] [--repeats N] [--json]

Needs a C compiler: two meters are read, `nvml` from the stand-in library of tests/lab and `rapl`
from a written powercap tree whose counters stand still. CPU seconds are of the sampler process.
Beside it runs what no sampler can do without: a thread that wakes ten times a second and makes the
same calls for the same fields and files (`floor_reading_us`), and one that only wakes
(`floor_waking_us`), each as the barest Python.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import harness
from harness.clock import SystemClock, now_ns
from harness.measure.choice import MeterChoice
from harness.measure.energy import EnergyReader
from harness.measure.metering import Metering
from harness.measure.trace import HEADER, read_trace
from harness.records import Domain
from tests.lab import nvml, powercap

ROOT = Path(harness.__file__).resolve().parent.parent

LOOK = (
    "import re, time; code = compile({code!r}, 'x', 'exec'); begin = time.process_time();"
    "exec(code);"
    "rss = int(re.search(r'VmRSS:\\s*(\\d+)', open('/proc/self/status').read())[1]);"
    "print(time.process_time(), rss)"
)


def import_cost(code: str, repeats: int) -> tuple[float, float]:
    """CPU seconds from the start of Python, and MiB resident, after some code; medians."""
    rows = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-P", "-c", LOOK.format(code=code)],
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        cpu_s, rss_kib = done.stdout.split()
        rows.append((float(cpu_s), float(rss_kib) / 1024))
    return statistics.median(cpu for cpu, _ in rows), statistics.median(rss for _, rss in rows)


def imports(repeats: int) -> dict[str, float]:
    """What importing the sampler costs above bare Python."""
    bare_s, bare_mib = import_cost("pass", repeats)
    ours_s, ours_mib = import_cost("import harness.measure.sampler", repeats)
    both = "import harness.measure.sampler, harness.meters.nvml, harness.meters.rapl, pynvml"
    both_s, both_mib = import_cost(both, repeats)
    return {
        "import_cpu_ms": 1e3 * (ours_s - bare_s),
        "import_mib": ours_mib - bare_mib,
        "import_with_nvml_cpu_ms": 1e3 * (both_s - bare_s),
        "import_with_nvml_mib": both_mib - bare_mib,
    }


FLOOR = """
import ctypes, os, sys, threading, time
count, root = int(sys.argv[1]), sys.argv[2]
look = lambda: None
if root:
    import pynvml
    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByIndex(0)
    call = pynvml._nvmlGetFunctionPointer("nvmlDeviceGetFieldValues")
    fields = (pynvml.c_nvmlFieldValue_t * 3)()
    for field, wanted in zip(fields, (83, 186, 185)):
        field.fieldId = wanted
    zones = ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1")
    files = [os.open(f"{root}/{zone}/energy_uj", os.O_RDONLY) for zone in zones]
    look = lambda: (call(card, 3, fields), [os.pread(file, 32, 0) for file in files])
def run():
    wake = threading.Lock()
    wake.acquire()
    deadline_s = time.monotonic()
    begin_s = time.thread_time()
    for _ in range(count):
        deadline_s += 0.1
        wake.acquire(timeout=max(0.0, deadline_s - time.monotonic()))
        look()
    print(1e6 * (time.thread_time() - begin_s) / count)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


@contextmanager
def floors(seconds: float, root: Path) -> Iterator[dict[str, float]]:
    """CPU microseconds of bare threads that run for the time of the block; filled at its end."""
    results: dict[str, float] = {}
    started = {
        name: subprocess.Popen(
            [sys.executable, "-c", FLOOR, str(int(10 * seconds)), folder], stdout=subprocess.PIPE
        )
        for name, folder in (("floor_reading_us", str(root)), ("floor_waking_us", ""))
    }
    try:
        yield results
    finally:
        results |= {name: float(item.communicate()[0]) for name, item in started.items()}


def sampling(seconds: float) -> dict[str, float]:
    """CPU of the sampler while it reads two meters ten times a second."""
    for name, value in nvml.knobs(shape="sine").items():
        os.environ[name] = value
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "powercap"
        powercap.server(tree, sockets=1)
        choice = [
            MeterChoice(name="nvml", target="harness.meters.nvml"),
            MeterChoice(name="rapl", target="harness.meters.rapl", options={"root": str(tree)}),
        ]
        with floors(seconds, tree) as least:
            metering = Metering.start(choice, Path(folder), now_ns(), 0.1)
            end_ns = now_ns() + int(seconds * 1e9)
            while now_ns() < end_ns:
                SystemClock().sleep_until(min(end_ns, now_ns() + 1_000_000_000))
                metering.pump()
            report = metering.stop()
    if report is None:
        raise RuntimeError("the sampler gave no report")
    running_s = report.cpu_s - report.import_cpu_s
    return {
        "start_cpu_s": report.import_cpu_s,
        "cpu_us_per_sample_of_two_meters": 1e6 * running_s / report.reads_count,
        **least,
        "core_percent_at_10_hz": 100 * running_s / report.duration_s,
        "jitter_p99_ms": 1e3 * (report.jitter_p99_s or 0.0),
        "peak_rss_mib": report.peak_rss_bytes / 2**20,
        "readings": report.readings_count,
    }


def make_readings() -> bytes:
    """A trace of an hour at 10 Hz with four domains, with noise as real sensors have it."""
    rng = np.random.default_rng(0)
    joules = {"gpu-0": 1e6, "cpu-package-0": 1000.0, "dram-0": 500.0}
    lines = [HEADER.decode()]
    for tick in range(36_000):
        t_ns = tick * 100_000_000 + int(rng.integers(50_000, 200_000))
        u_ns = int(rng.integers(800, 3000))
        watts = 300 + 20 * rng.standard_normal()
        joules["gpu-0"] += watts / 10
        lines.append(f"{t_ns},gpu-0,{round(joules['gpu-0'], 3)!r},,{u_ns}")
        lines.append(f"{t_ns},gpu-0-instant,,{round(float(watts), 3)!r},{u_ns}")
        for name in ("cpu-package-0", "dram-0"):
            joules[name] += abs(8 + 2 * rng.standard_normal())
            lines.append(f"{t_ns + 2 * u_ns},{name},{round(joules[name], 6)!r},,{u_ns // 2}")
    return ("\n".join(lines) + "\n").encode()


def storage(repeats: int) -> dict[str, float]:
    """Size of that trace, and CPU to read it and to tell its joules."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.csv.gz"
        path.write_bytes(gzip.compress(make_readings(), mtime=0))
        domain = Domain(
            name="gpu-0", kind="gpu", method="counter", meter="nvml", source="made",
            power_high_w=600.0, gain_error_ratio=0.06, update_period_s=0.1, resolution_j=0.001,
        )  # fmt: skip
        read_s, reported_s = [], []
        for _ in range(repeats):
            begin_s = time.process_time()
            trace = read_trace(path)
            middle_s = time.process_time()
            EnergyReader(trace, [domain]).energy(domain.name, 10**9, 3500 * 10**9)
            read_s.append(middle_s - begin_s)
            reported_s.append(time.process_time() - middle_s)
        return {
            "hour_of_four_domains_mb": path.stat().st_size / 1e6,
            "read_back_cpu_s": statistics.median(read_s),
            "energy_of_a_window_cpu_s": statistics.median(reported_s),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to sample")
    parser.add_argument("--repeats", type=int, default=7, help="how often to import and read")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    figures = {
        **imports(options.repeats),
        **sampling(options.seconds),
        **storage(options.repeats),
    }
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:36} {value:10.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
