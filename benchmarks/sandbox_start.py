"""Measures what a sandbox costs to start and to end, over a plain process.

python -m benchmarks.sandbox_start [--rounds N]

Each round starts `true` once in every launcher that works here and once bare, in an order drawn
again; the time is from the call to the death of the last process, account included. Printed are the
medians, the quartiles, and the median of the differences from the plain launcher round by round.
"""

import argparse
import os
import random
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from harness.clock import now_ns
from harness.launchers.choice import probes
from harness.plugins import Limits, SandboxRequest
from harness.registry import find

BARE = "bare process"


def bare() -> float:
    """Milliseconds of `true` by itself."""
    begin_ns = now_ns()
    subprocess.run(["/bin/true"], check=True)
    return (now_ns() - begin_ns) / 1e6


def sandboxed(launcher: Any, source: Path, null: int) -> float:
    """Milliseconds of `true` in a sandbox with every option that a submission gets."""
    request = SandboxRequest(
        command=("/bin/true",), source=source, stdout=null, stderr=null, limits=Limits()
    )
    begin_ns = now_ns()
    sandbox = launcher.launch(request)
    ended = sandbox.reap(30.0)
    spent_ms = (now_ns() - begin_ns) / 1e6
    if ended.code != 0:
        raise RuntimeError(f"`true` ended with {ended}")
    return spent_ms


def rounds(count: int, names: list[str]) -> dict[str, list[float]]:
    """Milliseconds by launcher, one of each a round."""
    results: dict[str, list[float]] = {name: [] for name in [BARE, *names]}
    launchers = {name: find("launchers", name).value for name in names}
    for launcher in launchers.values():
        launcher.probe()
    with tempfile.TemporaryDirectory() as text:
        Path(text).chmod(0o755)
        null = os.open(os.devnull, os.O_WRONLY)
        for _ in range(count):
            for name in random.sample(sorted(results), len(results)):
                spent = bare() if name == BARE else sandboxed(launchers[name], Path(text), null)
                results[name].append(spent)
        os.close(null)
    return results


def table(result: dict[str, list[float]]) -> list[str]:
    """One line a launcher."""
    lines = [f"{'':14} {'median':>9} {'quartiles':>19} {'over plain':>12}"]
    for name, spent in result.items():
        low, middle, high = statistics.quantiles(spent, n=4)
        over = statistics.median(a - b for a, b in zip(spent, result["plain"], strict=True))
        spread = f"{low:8.1f}..{high:5.1f} ms"
        lines.append(f"{name:14} {middle:6.1f} ms {spread} {over:9.1f} ms")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    chosen = parser.parse_args()
    names = [name for name, probe in probes() if probe.ok]
    user = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
    load = os.getloadavg()[0]
    print(f"as {user}, {chosen.rounds} rounds, load {load:.1f}")
    print(*table(rounds(chosen.rounds, names)), sep="\n")


if __name__ == "__main__":
    main()
