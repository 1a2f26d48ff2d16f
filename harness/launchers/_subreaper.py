"""Adoption of orphans: as long as it holds, they become this process's children, not init's.

Bubblewrap's outer process may end before process 1 of its namespace, which then would be waited
for, and accounted to, somebody else.
"""

import ctypes
import os
import resource
import threading

_PR_SET_CHILD_SUBREAPER = 36
_lock = threading.Lock()
_holders = 0


def prctl(option: int, value: int) -> None:
    """The system call of that name.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def hold() -> None:
    """Adopt orphans from now on; each call needs its `release`."""
    global _holders  # noqa: PLW0603 - the kernel's flag is one for the process
    with _lock:
        if _holders == 0:
            prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _holders += 1


def release() -> None:
    """Stop adopting, when the last holder lets go."""
    global _holders  # noqa: PLW0603
    with _lock:
        _holders -= 1
        if _holders == 0:
            prctl(_PR_SET_CHILD_SUBREAPER, 0)


def collect(pid: int, pidfd: int) -> resource.struct_rusage | None:
    """The account of a dead process, where it became ours; None where it was waited for."""
    try:
        # By pidfd first: the number may belong to another child by now.
        if os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        return os.wait4(pid, os.WNOHANG)[2]
    except ChildProcessError:
        return None
