"""Paths that a process restricted by Landlock may use.

Landlock has no rules that deny. To mask a folder, everything next to it is granted, at each level.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.launchers import _mounts, _restrict, _seccomp
from harness.launchers.interpreter import below, outermost, python_paths
from harness.plugins import SandboxRequest

_READ = _restrict.EXECUTE | _restrict.READ_FILE | _restrict.READ_DIR
_DEVICE = _restrict.READ_FILE | _restrict.WRITE_FILE | _restrict.TRUNCATE | _restrict.IOCTL_DEV
_NODES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Runtimes read these to size their thread pools. `/proc/self` is that of the first process only.
_RUNTIME_PATHS = (
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/loadavg", "/proc/version", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)


def rules_around(folder: Path, masks: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Rules that make a folder readable except for the masked folders in it.

    The folders above a masked one, and it itself, can be listed (otherwise Python could not import
    from them), but nothing in it can be opened. Symbolic links are left out: their target needs
    a rule of its own.
    """
    inside = [mask for mask in masks if below(mask, folder)]
    if not inside:
        yield folder, _READ
        return
    yield folder, _restrict.READ_DIR
    if folder in inside:
        return
    for child in sorted(folder.iterdir()):
        if child.is_symlink():
            continue
        if child.is_dir():
            yield from rules_around(child, inside)
        else:
            yield child, _READ


def _rules(request: SandboxRequest, scratch: Path, abi: int) -> Iterator[tuple[Path, int]]:
    masks = [_mounts.real_folder(mask) for mask in request.masks]
    system = [Path("/", name) for name in ("usr", "bin", "lib", "lib64")]
    paths = [*system, *_mounts.ETC, *map(Path, _RUNTIME_PATHS)]
    paths += [Path("/sys")] if request.devices else []
    readable = {path.resolve() for path in paths if path.exists()} - {Path("/proc/self").resolve()}
    readable |= {
        path.resolve(strict=True) for path in (request.source, *request.readable, *python_paths())
    }
    for path in outermost(readable):
        yield from rules_around(path, masks) if path.is_dir() else iter([(path, _READ)])
    # Not resolved, since another process will open it.
    yield Path("/proc/self"), _READ
    for node in (*map(Path, _NODES), *request.devices):
        yield node, _DEVICE
    yield scratch.resolve(), _restrict.all_rights(abi)


def restrictions(request: SandboxRequest, scratch: Path) -> dict[str, Any]:
    """The argument of `_restrict.restrict`, as plain values.

    Raises:
        OSError: a requested path does not exist.
    """
    abi = _restrict.version()
    return {
        "abi": abi,
        "rules": [(str(path), access) for path, access in _rules(request, scratch, abi)],
        "seccomp": _seccomp.build(denied=(*_seccomp.DENIED, *_seccomp.UNGOVERNED)),
    }
