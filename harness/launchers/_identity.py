"""User ids for submissions: which are free, and which files they can reach."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from harness.launchers import _tree

# Free for dynamic use by systemd's reckoning, and far from those of people and services.
UIDS = range(61184, 65520)


def is_root() -> bool:
    """Whether this process may become anybody."""
    return os.geteuid() == 0


def _owners() -> dict[int, int]:
    """User id to the number of its threads."""
    found: dict[int, int] = {}
    for each in _tree.everyone():
        try:
            uid = Path(f"/proc/{each.pid}").stat().st_uid
            threads = len(os.listdir(f"/proc/{each.pid}/task"))  # noqa: PTH208 - names alone
        except OSError:
            continue
        found[uid] = found.get(uid, 0) + threads
    return found


def free_uid() -> int:
    """A user id that nobody has here, so that a limit on its processes counts one sandbox alone."""
    taken = _owners()
    return secrets.choice([uid for uid in UIDS if uid not in taken])


def own_threads() -> int:
    """How many threads count against this user's limit on processes already."""
    return _owners().get(os.geteuid(), 0)


def _open_to_others(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = 0o005 if path.is_dir() else 0o004
    return mode & needed == needed


def closed(paths: Iterable[Path]) -> Path | None:
    """The first path that other users cannot read, None where they can read all."""
    return next((path for path in paths if not _open_to_others(path)), None)


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
