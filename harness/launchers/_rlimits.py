"""The kernel's limits on single processes: which ones a sandbox gets, and how they are set."""

import resource
from collections.abc import Mapping

from harness.plugins import Limits

SECONDS_OF_GRACE = 1


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
