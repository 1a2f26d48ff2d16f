"""A powercap tree as the kernel lays it out, whose power follows the opening of a tool's window.

It is mounted over /sys/class for one tool, so that nothing in the tool has to be patched.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import harness
from harness.clock import now_ns

RANGE_UJ = 262_143_328_850
GO = "go"
"""File in which a tool's program writes the monotonic stamp at which its window opens."""

_PACE_S = 0.003


@dataclass(frozen=True)
class Course:
    """Power of one package and its memory from the opening of the window on."""

    pieces: Sequence[tuple[float, float]]
    """(watts, seconds), the last one for ever; before the window the counters stand still."""
    dram_w: float
    wraps_at_s: float | None = None
    """When the package's counter starts again at zero; None: not during the measurement."""

    def package_j(self, t_s: float) -> float:
        """Joules of the package since the window's opening."""
        joules, begin_s = 0.0, 0.0
        for watts, length_s in self.pieces[:-1]:
            if t_s <= begin_s + length_s:
                return joules + watts * (t_s - begin_s)
            joules += watts * length_s
            begin_s += length_s
        return joules + self.pieces[-1][0] * (t_s - begin_s)

    def truth_j(self, t_s: float) -> float:
        """Joules of package and memory since the window's opening."""
        return self.package_j(t_s) + self.dram_w * t_s

    def shown_uj(self, t_s: float) -> dict[str, int]:
        """What the counters show."""
        start_j = 0.1 * RANGE_UJ / 1e6
        if self.wraps_at_s is not None:
            start_j = RANGE_UJ / 1e6 - self.package_j(self.wraps_at_s)
        package_uj = int(1e6 * (start_j + self.package_j(t_s)))
        dram_uj = int(1e6 * (5000.0 + self.dram_w * t_s))
        core_uj = int(1e6 * (3000.0 + 0.5 * self.package_j(t_s)))
        shown = {"package-0": package_uj, "core": core_uj, "dram": dram_uj}
        return {name: value % RANGE_UJ for name, value in shown.items()}


ZONES = {
    "package-0": "intel-rapl/intel-rapl:0",
    "core": "intel-rapl/intel-rapl:0/intel-rapl:0:0",
    "dram": "intel-rapl/intel-rapl:0/intel-rapl:0:1",
}


def make_tree(root: Path, course: Course) -> None:
    """Zones below each other, a link to each of them at the top, and the link `subsystem`."""
    for label, place in ZONES.items():
        folder = root / place
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{label}\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (folder / "energy_uj").write_text(f"{course.shown_uj(0.0)[label]:020d}\n")
        (root / folder.name).symlink_to(place)
    (root / "intel-rapl/subsystem").symlink_to("..")
    root.chmod(0o755)


def mounted(root: Path | None) -> list[str]:
    """Words before a command that sees the tree as the kernel's own; None: a kernel without one."""
    words = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/sys/class", "--die-with-parent"]
    return words if root is None else [*words, "--bind", str(root), "/sys/class/powercap"]


@contextmanager
def running(root: Path, course: Course, go: Path) -> Iterator[None]:
    """Let the counters of a tree run."""
    make_tree(root, course)
    words = [sys.executable, "-m", __name__, str(root), str(go), json.dumps(asdict(course))]
    process = subprocess.Popen(words, cwd=Path(harness.__file__).resolve().parent.parent)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _stamp_ns(go: Path) -> int | None:
    try:
        return int(go.read_text())
    except (OSError, ValueError):
        return None


def _serve(root: Path, go: Path, course: Course) -> None:
    files = {
        name: os.open(root / place / "energy_uj", os.O_WRONLY) for name, place in ZONES.items()
    }
    begin_ns: int | None = None
    while True:
        begin_ns = _stamp_ns(go) if begin_ns is None else begin_ns
        t_s = 0.0 if begin_ns is None else (now_ns() - begin_ns) / 1e9
        for name, shown in course.shown_uj(t_s).items():
            os.pwrite(files[name], f"{shown:020d}\n".encode(), 0)
        time.sleep(_PACE_S)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]), Course(**json.loads(sys.argv[3])))
