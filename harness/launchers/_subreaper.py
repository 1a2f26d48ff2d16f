"""The child subreaper flag: while it is set, orphaned descendants become children of this process.

Bubblewrap's outer process may end before process 1 of its namespace. Without the flag, init would
then reap process 1, and its resource usage would be lost.
"""

import ctypes
import os
import resource
import threading
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_lock = threading.Lock()
_users_count = 0


def prctl(option: int, value: int, pointer: Any = 0) -> None:
    """The system call of this name.

    Raises:
        OSError: the kernel refused the call.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), pointer, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def set_subreaper(*, on: bool) -> None:
    """Set or clear the flag of this process, for good."""
    prctl(_PR_SET_CHILD_SUBREAPER, int(on))


def acquire() -> None:
    """Set the flag until `release` was called as often as `acquire`."""
    global _users_count  # noqa: PLW0603 - the kernel has one flag per process
    with _lock:
        if _users_count == 0:
            set_subreaper(on=True)
        _users_count += 1


def release() -> None:
    """Clear the flag if no one else needs it."""
    global _users_count  # noqa: PLW0603 - as above
    with _lock:
        _users_count -= 1
        if _users_count == 0:
            set_subreaper(on=False)


def reap(pid: int, pidfd: int) -> resource.struct_rusage | None:
    """Reap a dead process; returns its resource usage, or None if it is not a child of ours."""
    try:
        # By pidfd first: the number may belong to another child by now.
        if os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        return os.wait4(pid, os.WNOHANG)[2]
    except ChildProcessError:
        return None
