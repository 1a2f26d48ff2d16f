"""Resource limits on single processes of a sandbox (setrlimit(2))."""

import contextlib
import resource
from collections.abc import Mapping
from pathlib import Path

from harness.plugins import Limits

GRACE_S = 1
OOM_SCORE_ADJ = 1000
"""The greatest value (proc(5)): these processes are killed first when memory is exhausted."""


def limits_table(limits: Limits, *, processes: int | None) -> dict[int, tuple[int, int]]:
    """Soft and hard value by kernel limit; without `processes`, their number is not limited."""
    table = {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (limits.file_bytes, limits.file_bytes),
        resource.RLIMIT_NOFILE: (limits.open_files, limits.open_files),
    }
    if processes is not None:
        table[resource.RLIMIT_NPROC] = (processes, processes)
    if limits.cpu_s is not None:
        # The kernel sends SIGXCPU at the soft limit and SIGKILL at the hard limit.
        table[resource.RLIMIT_CPU] = (limits.cpu_s, limits.cpu_s + GRACE_S)
    return {key: _cap(key, *pair) for key, pair in table.items()}


def _cap(key: int, soft: int, hard: int) -> tuple[int, int]:
    """Lower both values to the present hard limit, since only root may raise it."""
    ceiling = resource.getrlimit(key)[1]
    if ceiling == resource.RLIM_INFINITY:
        return soft, hard
    return min(soft, ceiling), min(hard, ceiling)


def set_on(pid: int, table: Mapping[int, tuple[int, int]]) -> None:
    """Set limits on a process that has not started its work yet.

    Raises:
        OSError: the process has ended, or belongs to another user.
    """
    for key, pair in table.items():
        resource.prlimit(pid, key, pair)


def prefer_for_oom_kill(pid: int) -> None:
    """Let the kernel kill this process and its children first when memory is exhausted.

    By default it kills the process that has most memory mapped. Memory files that are not mapped
    are not counted, so it could kill the conductor or the sampler. A process may lower the value
    again, unless it was set with CAP_SYS_RESOURCE. Without the permission nothing happens.
    """
    with contextlib.suppress(OSError):
        path = Path(f"/proc/{pid}/oom_score_adj")
        path.write_text(str(OOM_SCORE_ADJ), encoding="ascii")
