"""Builds the stand-in for NVIDIA's library and says how to run a process against it."""

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from harness.clock import now_ns
from harness.meters.fake import Wave

SOURCE = Path(__file__).with_name("nvml.c")


@cache
def library_folder() -> Path:
    """Folder with a freshly compiled `libnvidia-ml.so.1`."""
    folder = Path(mkdtemp(prefix="joulemark-lab-"))
    target = folder / "libnvidia-ml.so.1"
    soname = "-Wl,-soname,libnvidia-ml.so.1"
    command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", soname]
    subprocess.run([*command, "-o", str(target), str(SOURCE), "-lm"], check=True)
    return folder


def knobs(**settings: object) -> dict[str, str]:
    """Environment for a process; names as in `nvml.c`, in lower case.

    `origin_s` is set to now, so that the waveform begins here.
    """
    origin = {"origin_s": now_ns() // 1_000_000_000}
    chosen = {
        f"JOULEMARK_LAB_{key.upper()}": str(value) for key, value in (origin | settings).items()
    }
    searched = os.environ.get("LD_LIBRARY_PATH", "")
    return {**chosen, "LD_LIBRARY_PATH": f"{library_folder()}:{searched}".rstrip(":")}


def truth_j(environment: Mapping[str, str], begin_ns: int, end_ns: int) -> float:
    """Exact joules of one card between two monotonic stamps."""

    def knob(name: str, otherwise: float) -> float:
        return float(environment.get(f"JOULEMARK_LAB_{name}", otherwise))

    shape = environment.get("JOULEMARK_LAB_SHAPE", "constant")
    wave = Wave(shape, knob("WATTS", 300), knob("LOW_W", 100), knob("WAVE_S", 2))  # type: ignore[arg-type]
    begin_s, end_s = (stamp / 1e9 - knob("ORIGIN_S", 0) for stamp in (begin_ns, end_ns))
    return wave.energy_j(end_s) - wave.energy_j(begin_s)
