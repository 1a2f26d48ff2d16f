"""User ids for submissions: which ones are free, and which files they can read."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from harness.launchers import _tree

# The range that systemd reserves for dynamic users.
UIDS = range(61184, 65520)


def is_root() -> bool:
    """Whether this process may change to any user."""
    return os.geteuid() == 0


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - faster, for all processes
    except OSError:
        return None


def free_uid() -> int:
    """A user id without any process, so that its process limit counts only one sandbox."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names alone
    taken = {_owner(pid) for pid in pids}
    return secrets.choice([uid for uid in UIDS if uid not in taken])


def own_threads() -> int:
    """Number of threads that count against this user's process limit already."""
    count = 0
    for process in _tree.all_processes():
        if _owner(process.pid) == os.geteuid():
            with contextlib.suppress(OSError):
                count += len(os.listdir(f"/proc/{process.pid}/task"))  # noqa: PTH208 - names alone
    return count


def _open_to_others(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = 0o005 if path.is_dir() else 0o004
    return mode & needed == needed


def first_private(paths: Iterable[Path]) -> Path | None:
    """The first path whose mode does not let other users read it; None if they can read all."""
    return next((path for path in paths if not _open_to_others(path)), None)


def hand_over(descriptors: Iterable[int], uid: int) -> None:
    """Give pipes to another user, so that `echo text > /dev/stderr` can open them by name."""
    for descriptor in descriptors:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.fchown(descriptor, uid, uid)


def unreachable(paths: Iterable[Path]) -> Path | None:
    """The first path, or folder above one, that other users cannot read; None if there is none."""
    for path in paths:
        real = path.resolve()
        for folder in reversed(real.parents):
            if not folder.stat().st_mode & 0o001:
                return folder
        if not _open_to_others(real):
            return real
    return None
