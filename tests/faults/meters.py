"""A sampler that is none: it writes what a meter would have told, and breaks in every known way."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S
from harness.measure.metering import Metering, MeteringError, pack
from harness.records import Domain, SamplerReport
from tests.faults.world import World

WATTS = 50.0
PERIOD_S = 0.1
DOMAIN = Domain(
    name="cpu-package-0",
    kind="cpu",
    method="counter",
    meter="simulated",
    source="tests/faults/meters.py",
    simulated=True,
    wrap_j=262143.328,
    power_high_w=500.0,
)
SOUND = ("none", "ok")
BROKEN = ("absent", "unopened", "dies", "vanishes", "stuck", "backwards", "torn", "full")


class Sampler(Metering):
    """Replaces the conductor's end of the sampler."""

    def __init__(self, world: World, manner: str) -> None:
        self._world = world
        self._manner = manner
        self._folder = None
        self._origin_ns = self._begin_ns = self._breaks_ns = 0
        self._over = False
        self.domains = () if manner == "unopened" else (DOMAIN,)
        self.failed = {"simulated": "no such device"} if manner == "unopened" else {}
        self.dead = ()
        self.faults = []
        self.latest = None

    def begin(self, bundle_folder: Path, origin_ns: int) -> None:
        if self._manner == "absent":
            raise MeteringError("the sampler was not ready within 20 s")
        self._folder = bundle_folder
        self._origin_ns = origin_ns
        self._begin_ns = self._world.now
        self._breaks_ns = self._begin_ns + 3 * NS_PER_S

    @property
    def pid(self) -> int | None:
        return None

    def fileno(self) -> int:
        return -1

    def pump(self) -> None:
        """It says nothing while it works."""

    def mark(self) -> None:
        """It reads often enough."""

    def kill(self) -> None:
        if self._folder and not self._world.dead and not self._over:
            self._write()

    def stop(self) -> SamplerReport | None:
        self._over = True
        rows_count = self._write()
        if self._manner in ("dies", "torn"):
            raise MeteringError("the sampler ended without its report")
        if self._manner == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        duration_s = (self._world.now - self._begin_ns) / NS_PER_S
        return SamplerReport(
            period_s=PERIOD_S,
            reads_count=rows_count,
            readings_count=rows_count,
            cpu_s=0.01,
            import_cpu_s=0.005,
            duration_s=duration_s,
            peak_rss_bytes=10 << 20,
        )

    def _write(self) -> int:
        lines = list(self._lines()) if self.domains else []
        text = "t_ns,domain,energy_j,power_w,u_ns\n" + "".join(lines)
        torn = "123," if self._manner == "torn" else ""
        assert self._folder is not None
        (self._folder / "trace.csv").write_text(text + torn)
        pack(self._folder)
        return len(lines)

    def _lines(self) -> Any:
        end_ns = self._world.now
        if self._manner in ("dies", "vanishes"):
            end_ns = min(end_ns, self._breaks_ns)
        step_ns = int(PERIOD_S * NS_PER_S)
        moments = [*range(self._begin_ns, end_ns, step_ns), end_ns]
        for t_ns in moments:
            yield f"{t_ns - self._origin_ns},{DOMAIN.name},{self._joules(t_ns):.6f},,1000\n"
        if self._manner == "vanishes" and end_ns < self._world.now:
            self.faults.append(
                {"meter": "simulated", "domain": DOMAIN.name, "message": "gone", "t_ns": end_ns}
            )

    def _joules(self, t_ns: int) -> float:
        since_s = (t_ns - self._begin_ns) / NS_PER_S
        if self._manner == "stuck":
            return 1000.0
        if self._manner == "backwards" and since_s > 2.0:
            since_s -= 1.5
        return 1000.0 + WATTS * since_s


def starter(world: World, manner: str) -> type:
    """Replaces the class `Metering` in the conductor."""

    class Starter:
        @classmethod
        def prepare(cls, choice: Sequence[Any], period_s: float = 0.1) -> Metering:
            return Metering.prepare((), period_s) if manner == "none" else Sampler(world, manner)

    return Starter


Starter = Callable[[World, str], type]
