"""Control groups, version 1 or 2: the limits and the exact CPU time of one sandbox."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.plugins import Limits

_PREFIX = "joulemark"
_UNIFIED = "unified"
_CONTROLLERS = ("memory", "pids")
_US_PER_S = 1_000_000
_NS_PER_S = 1_000_000_000
# A group stays busy for a moment after its last process was reaped.
_REMOVALS, _PAUSE_S = 20, 0.005


def _mounts() -> Iterator[tuple[str, Path, str]]:
    """Controller (or `unified`), mount point, and the part of the tree that is mounted there."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if kind[0] == "cgroup2":
            yield _UNIFIED, Path(fields[4]), fields[3]
        elif kind[0] == "cgroup":
            for controller in kind[2].split(","):
                yield controller, Path(fields[4]), fields[3]


def _own_folders() -> dict[str, Path]:
    """Controller to the folder of the group that this process is in."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else [_UNIFIED]:
            paths[controller] = path
    folders: dict[str, Path] = {}
    for controller, mount, root in _mounts():
        if controller in paths:
            path = paths[controller]
            inner = path.removeprefix(root) if root != "/" else path
            folder = mount / inner.lstrip("/")
            if folder.is_dir():
                folders.setdefault(controller, folder)
    return folders


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def _parent(own: Path) -> Path:
    """The folder in version 2 where a new group gets the controllers: our own or the one above.

    A group that contains processes cannot pass controllers to groups below it.
    """
    for folder in (own, own.parent):
        if set(_CONTROLLERS) <= set(_words(folder / "cgroup.subtree_control")):
            return folder
    return own


def _value(path: Path, key: str) -> int | None:
    """The number after a key, in a file of `key number` lines."""
    words = _words(path)
    return int(words[words.index(key) + 1]) if key in words else None


def _write(path: Path, value: int) -> bool:
    """Write a value to a file that exists; returns whether it was written."""
    try:
        # Without O_CREAT, since the kernel may not offer the file.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError:
        return False
    with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as file:
        try:
            file.write(str(value).encode())
        except OSError:
            return False
    return True


@dataclass
class Cgroup:
    """The groups of one sandbox; where none could be made, every figure is None or zero."""

    folders: dict[str, Path] = field(default_factory=dict)
    """Controller, or `unified`, to the folder of the group."""
    enforced: set[str] = field(default_factory=set)
    """The limits that are set: `memory`, `pids`."""

    def attach(self, pid: int) -> None:
        """Move a process that has not started its work into the groups."""
        for controller, folder in list(self.folders.items()):
            if not _write(folder / "cgroup.procs", pid):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                del self.folders[controller]
                self.enforced -= set(_CONTROLLERS) if controller == _UNIFIED else {controller}

    def cpu_s(self) -> float | None:
        """CPU seconds of all processes that were ever in the group, killed ones included."""
        if _UNIFIED in self.folders:
            usage_us = _value(self.folders[_UNIFIED] / "cpu.stat", "usage_usec")
            return None if usage_us is None else usage_us / _US_PER_S
        folder = self.folders.get("cpuacct")
        words = _words(folder / "cpuacct.usage") if folder else []
        return int(words[0]) / _NS_PER_S if words else None

    def oom_kills(self) -> int:
        """Number of processes that the kernel killed because the memory limit was reached."""
        if "memory" in self.folders:
            return _value(self.folders["memory"] / "memory.oom_control", "oom_kill") or 0
        if _UNIFIED in self.folders:
            return _value(self.folders[_UNIFIED] / "memory.events", "oom_kill") or 0
        return 0

    def kill(self) -> None:
        """SIGKILL all processes, where the kernel can (version 2, Linux 5.14)."""
        if _UNIFIED in self.folders:
            _write(self.folders[_UNIFIED] / "cgroup.kill", 1)

    def remove(self) -> None:
        """Remove the groups; one that stays busy is removed by a later sandbox."""
        for folder in self.folders.values():
            for _ in range(_REMOVALS):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(_PAUSE_S)
                else:
                    break
        self.folders = {}


def _make(parent: Path, name: str) -> Path | None:
    """Make a group, and remove the groups of conductors that died before they could."""
    for group in parent.glob(f"{_PREFIX}-*"):
        owner = group.name.split("-")[1]
        if not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                group.rmdir()
    folder = parent / name
    try:
        folder.mkdir()
    except OSError:
        return None
    return folder


def _set_limits(group: Cgroup, limits: Limits) -> None:
    """Write the limits; those that were written are added to `enforced`."""
    unified = group.folders.get(_UNIFIED, Path("/nonexistent"))
    if (limit := limits.memory_bytes) is not None:
        # Swap would allow more memory; its file is missing where the kernel does not count swap.
        if memory := group.folders.get("memory"):
            is_set = _write(memory / "memory.limit_in_bytes", limit)
            _write(memory / "memory.memsw.limit_in_bytes", limit)
        else:
            is_set = _write(unified / "memory.max", limit)
            _write(unified / "memory.swap.max", 0)
            _write(unified / "memory.oom.group", 1)
        if is_set:
            group.enforced.add("memory")
    if _write(group.folders.get("pids", unified) / "pids.max", limits.processes):
        group.enforced.add("pids")


def create(limits: Limits, *, count_processes: bool) -> Cgroup:
    """Make groups below our own, as far as the machine and our permissions allow.

    Version 1 has one group for each controller, and each takes milliseconds to make, so only the
    needed ones are made.

    Args:
        limits: The limits to set.
        count_processes: Whether the limit on processes has to be set by the group.
    """
    group = Cgroup()
    try:
        own = _own_folders()
    except (OSError, ValueError):
        return group
    name = f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(4)}"
    if _UNIFIED in own and (folder := _make(_parent(own[_UNIFIED]), name)):
        group.folders[_UNIFIED] = folder
    needed = {
        "memory": limits.memory_bytes is not None,
        "pids": count_processes,
        "cpuacct": _UNIFIED not in group.folders,
    }
    for controller, is_needed in needed.items():
        if is_needed and controller in own and (folder := _make(own[controller], name)):
            group.folders[controller] = folder
    _set_limits(group, limits)
    return group
