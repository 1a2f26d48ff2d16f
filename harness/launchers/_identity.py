"""User ids for submissions: which are free, and which files they can reach."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from harness.launchers import _tree

# Free for dynamic use by systemd's reckoning, and far from those of people and services.
UIDS = range(61184, 65520)


def is_root() -> bool:
    """Whether this process may become anybody."""
    return os.geteuid() == 0


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - for every process of the machine
    except OSError:
        return None


def free_uid() -> int:
    """A user id that nobody has here, so that a limit on its processes counts one sandbox alone."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    taken = {_owner(pid) for pid in pids}
    return secrets.choice([uid for uid in UIDS if uid not in taken])


def own_threads() -> int:
    """How many threads count against this user's limit on processes already."""
    count = 0
    for item in _tree.everyone():
        if _owner(item.pid) == os.geteuid():
            with contextlib.suppress(OSError):
                count += len(os.listdir(f"/proc/{item.pid}/task"))  # noqa: PTH208 - names alone
    return count


def _open_to_others(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = 0o005 if path.is_dir() else 0o004
    return mode & needed == needed


def closed(paths: Iterable[Path]) -> Path | None:
    """The first path that other users cannot read, None where they can read all."""
    return next((path for path in paths if not _open_to_others(path)), None)


def hand_over(descriptors: Iterable[int], uid: int) -> None:
    """Let another user open pipes again by name, as `echo text > /dev/stderr` does."""
    for descriptor in descriptors:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.fchown(descriptor, uid, uid)


def unreachable(paths: Iterable[Path]) -> Path | None:
    """The first path, or folder on the way to one, that is closed to other users."""
    for path in paths:
        real = path.resolve()
        for folder in reversed(real.parents):
            if not folder.stat().st_mode & 0o001:
                return folder
        if not _open_to_others(real):
            return real
    return None
