"""A powercap tree whose counters run, kept up to date by a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.clock import now_ns
from harness.meters.fake import Wave

WRAP_UJ = 262_143_328_850


def zone(
    root: Path, index: str, name: str, *, energy_uj: int = 0, wrap_uj: int | None = WRAP_UJ
) -> Path:
    """Make one zone; `index` as `intel-rapl:0:1`."""
    folder = root / index
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy_uj:020d}\n")
    if wrap_uj is not None:
        (folder / "max_energy_range_uj").write_text(f"{wrap_uj}\n")
    return folder


def server(root: Path, sockets: int = 2) -> dict[str, Path]:
    """A two-socket server as Intel's look: packages with dram and core below them."""
    made = {}
    for socket in range(sockets):
        label = f"package-{socket}"
        made[label] = zone(root, f"intel-rapl:{socket}", label)
        made[f"core-{socket}"] = zone(root, f"intel-rapl:{socket}:0", "core")
        made[f"dram-{socket}"] = zone(root, f"intel-rapl:{socket}:1", "dram")
    return made


@contextmanager
def running(waves: Mapping[Path, Wave], wrap_uj: int = WRAP_UJ) -> Iterator[int]:
    """Let counters run; gives the monotonic stamp at which the waves began."""
    origin_ns = now_ns()
    jobs = [
        f"{folder / 'energy_uj'}|{item.shape}|{item.watts}|{item.low_w}|{item.period_s}"
        for folder, item in waves.items()
    ]
    process = subprocess.Popen(
        [sys.executable, __file__, str(origin_ns), str(wrap_uj), *jobs], stdin=subprocess.PIPE
    )
    shown = {folder: (folder / "energy_uj").read_text() for folder in waves}
    try:
        # A busy machine may start the process late, and counters that stand still are dead.
        while any((folder / "energy_uj").read_text() == text for folder, text in shown.items()):
            assert process.poll() is None, "the process that moves the counters ended"
            time.sleep(0.01)
        yield origin_ns
    finally:
        process.kill()
        process.communicate()


def _serve(origin_ns: int, wrap_uj: int, jobs: list[str]) -> None:
    import os

    files = []
    for job in jobs:
        path, shape, watts, low_w, period_s = job.split("|")
        wave = Wave(shape, float(watts), float(low_w), float(period_s))  # type: ignore[arg-type]
        files.append((os.open(path, os.O_WRONLY), wave))
    while True:
        for fd, wave in files:
            shown_uj = int(wave.energy_j((now_ns() - origin_ns) / 1e9) * 1e6) % wrap_uj
            os.pwrite(fd, f"{shown_uj:020d}\n".encode(), 0)
        time.sleep(0.004)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
