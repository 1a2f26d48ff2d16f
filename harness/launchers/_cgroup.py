"""Control groups, version 1 or 2: limits on, and an exact account of, one sandbox."""

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
_CONTROLLED = ("memory", "pids")
_US_PER_S = 1_000_000
_NS_PER_S = 1_000_000_000
# A group stays busy for a moment after its last process was reaped.
_REMOVALS, _PAUSE_S = 20, 0.005


def _mounted() -> Iterator[tuple[str, Path, str]]:
    """Controller (or `unified`), folder of its mount, and the part of the tree mounted there."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if kind[0] == "cgroup2":
            yield _UNIFIED, Path(fields[4]), fields[3]
        elif kind[0] == "cgroup":
            for controller in kind[2].split(","):
                yield controller, Path(fields[4]), fields[3]


def _own_paths() -> dict[str, str]:
    """Controller to the path of this process in its tree, as `/proc/self/cgroup` has it."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else [_UNIFIED]:
            found[controller] = path
    return found


def _own_folders() -> dict[str, Path]:
    """Controller to the folder of the group that this process is in."""
    paths = _own_paths()
    found: dict[str, Path] = {}
    for controller, mount, root in _mounted():
        path = paths.get(controller)
        if path is not None:
            inner = path.removeprefix(root) if root != "/" else path
            folder = mount / inner.lstrip("/")
            if folder.is_dir():
                found.setdefault(controller, folder)
    return found


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def _parent(own: Path) -> Path:
    """Where in version 2 a new group has the controllers: below our own or beside it.

    A group with processes in it cannot hand controllers down, but the one above it does.
    """
    for folder in (own, own.parent):
        if set(_CONTROLLED) <= set(_words(folder / "cgroup.subtree_control")):
            return folder
    return own


def _sweep(parent: Path) -> None:
    """Remove the groups of conductors that died before they could."""
    for left in parent.glob(f"{_PREFIX}-*"):
        owner = left.name.split("-")[1]
        if not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                left.rmdir()


def _value(path: Path, key: str) -> int | None:
    """The number after a key, in a file of `key number` lines."""
    words = _words(path)
    return int(words[words.index(key) + 1]) if key in words else None


def _write(path: Path, value: int) -> None:
    path.write_text(str(value), encoding="ascii")


@dataclass
class Cgroup:
    """The groups of one sandbox; where none could be made, every figure is None or zero."""

    folders: dict[str, Path] = field(default_factory=dict)
    """Controller, or `unified`, to the group's folder."""
    held: set[str] = field(default_factory=set)
    """Which limits are set: `memory`, `pids`."""

    def attach(self, pid: int) -> None:
        """Put a process that has not begun its work into the groups, and with it all below it."""
        for controller, folder in list(self.folders.items()):
            try:
                _write(folder / "cgroup.procs", pid)
            except OSError:
                self._drop(controller, folder)

    def _drop(self, controller: str, folder: Path) -> None:
        with contextlib.suppress(OSError):
            folder.rmdir()
        del self.folders[controller]
        self.held -= set(_CONTROLLED) if controller == _UNIFIED else {controller}

    def cpu_s(self) -> float | None:
        """CPU seconds of every process that was ever in it, killed ones included."""
        if _UNIFIED in self.folders:
            usage_us = _value(self.folders[_UNIFIED] / "cpu.stat", "usage_usec")
            return None if usage_us is None else usage_us / _US_PER_S
        words = _words(self.folders["cpuacct"] / "cpuacct.usage") if self._has_v1_cpu() else []
        return int(words[0]) / _NS_PER_S if words else None

    def _has_v1_cpu(self) -> bool:
        return "cpuacct" in self.folders

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed because the memory limit was reached."""
        found = 0
        if "memory" in self.folders:
            found = _value(self.folders["memory"] / "memory.oom_control", "oom_kill") or 0
        elif _UNIFIED in self.folders:
            found = _value(self.folders[_UNIFIED] / "memory.events", "oom_kill") or 0
        return found

    def kill(self) -> None:
        """SIGKILL all of it, where the kernel can (version 2, Linux 5.14)."""
        if _UNIFIED in self.folders:
            with contextlib.suppress(OSError):
                _write(self.folders[_UNIFIED] / "cgroup.kill", 1)

    def remove(self) -> None:
        """Remove the groups; one that stays busy is swept up by a later sandbox."""
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
    _sweep(parent)
    folder = parent / name
    try:
        folder.mkdir()
    except OSError:
        return None
    return folder


def _limit(group: Cgroup, limits: Limits) -> None:
    """Write the limits; what cannot be written is not in `held`."""
    version_1, unified = group.folders, group.folders.get(_UNIFIED, Path("/nonexistent"))
    memory = version_1.get("memory")
    if limits.memory_bytes is not None:
        wanted = limits.memory_bytes
        files = (unified / "memory.max",) if memory is None else (memory / "memory.limit_in_bytes",)
        # Swap would let it have more; both are missing where the kernel counts no swap.
        extra = {unified / "memory.swap.max": 0, unified / "memory.oom.group": 1}
        if memory is not None:
            extra = {memory / "memory.memsw.limit_in_bytes": wanted}
        _set(group, "memory", files[0], wanted)
        for path, value in extra.items():
            with contextlib.suppress(OSError):
                _write(path, value)
    _set(group, "pids", version_1.get("pids", unified) / "pids.max", limits.processes)


def _set(group: Cgroup, name: str, path: Path, value: int) -> None:
    # Opening for writing would try to create a file that the kernel does not offer.
    if path.is_file():
        with contextlib.suppress(OSError):
            _write(path, value)
            group.held.add(name)


def create(limits: Limits, *, count_processes: bool) -> Cgroup:
    """Make groups below our own, as far as this machine and our rights allow.

    Version 1 has one for each matter, and each costs milliseconds, so only what is needed is made.

    Args:
        limits: what to set.
        count_processes: whether the limit on processes has to come from here.
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
    for controller, wanted in needed.items():
        if wanted and controller in own and (folder := _make(own[controller], name)):
            group.folders[controller] = folder
    _limit(group, limits)
    return group
