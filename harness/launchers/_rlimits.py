"""The kernel's limits on single processes: which ones a sandbox gets, and how they are set."""

import contextlib
import resource
from collections.abc import Mapping
from pathlib import Path

from harness.plugins import Limits

SECONDS_OF_GRACE = 1
FIRST_TO_GO = 1000
"""The greatest `oom_score_adj` (proc(5)): killed before anybody else where memory ends."""


def wanted(limits: Limits, *, processes: int | None) -> dict[int, tuple[int, int]]:
    """Kernel limit to (soft, hard); `processes` is None where counting them means nothing here."""
    table = {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (limits.file_bytes, limits.file_bytes),
        resource.RLIMIT_NOFILE: (limits.open_files, limits.open_files),
    }
    if processes is not None:
        table[resource.RLIMIT_NPROC] = (processes, processes)
    if limits.cpu_s is not None:
        # SIGXCPU at the first, SIGKILL at the second.
        table[resource.RLIMIT_CPU] = (limits.cpu_s, limits.cpu_s + SECONDS_OF_GRACE)
    return {key: _lowered(key, *pair) for key, pair in table.items()}


def _lowered(key: int, soft: int, hard: int) -> tuple[int, int]:
    """No higher than what holds already, since only root may raise a limit."""
    ceiling = resource.getrlimit(key)[1]
    if ceiling == resource.RLIM_INFINITY:
        return soft, hard
    return min(soft, ceiling), min(hard, ceiling)


def set_on(pid: int, table: Mapping[int, tuple[int, int]]) -> None:
    """Set them on a process that has not started its work yet.

    Raises:
        OSError: the process is gone, or belongs to somebody else.
    """
    for key, pair in table.items():
        resource.prlimit(pid, key, pair)


def offer_first(pid: int) -> None:
    """Where the machine's memory ends, the kernel takes this process and what it starts first.

    Else it takes whoever has most of it mapped: memory files that nobody maps count for nobody,
    and so the conductor, the sampler or a stranger would go. A process may lower it again unless
    it was set with CAP_SYS_RESOURCE. Nothing happens where the kernel does not let us.
    """
    with contextlib.suppress(OSError):
        path = Path(f"/proc/{pid}/oom_score_adj")
        path.write_text(str(FIRST_TO_GO), encoding="ascii")
