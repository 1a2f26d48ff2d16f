"""What a process held by Landlock may reach by path.

There are no deny rules: a mask is a grant of everything beside it on the way down.
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
# What runtimes read to size their thread pools. `/proc/self` is that of the first process alone.
_ABOUT = (
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/loadavg", "/proc/version", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)


def around(folder: Path, masks: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Rules that make a folder readable, but for the masked ones in it.

    On the way to a masked folder names can be listed (Python's import finds nothing otherwise),
    the masked one's too, but nothing in it can be opened. Symbolic links are left out: what they
    point to must be granted in its own right.
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
            yield from around(child, inside)
        else:
            yield child, _READ


def _rules(request: SandboxRequest, scratch: Path, abi: int) -> Iterator[tuple[Path, int]]:
    masks = [_mounts.masked(mask) for mask in request.masks]
    system = [Path("/", name) for name in ("usr", "bin", "lib", "lib64")]
    paths = [*system, *_mounts.ETC, *map(Path, _ABOUT)]
    paths += [Path("/sys")] if request.devices else []
    wanted = {path.resolve() for path in paths if path.exists()} - {Path("/proc/self").resolve()}
    wanted |= {
        path.resolve(strict=True) for path in (request.source, *request.readable, *python_paths())
    }
    for path in outermost(wanted):
        yield from around(path, masks) if path.is_dir() else iter([(path, _READ)])
    # By this name, since the process that opens it is not the one that asks here.
    yield Path("/proc/self"), _READ
    for node in (*map(Path, _NODES), *request.devices):
        yield node, _DEVICE
    yield scratch.resolve(), _restrict.all_rights(abi)


def bounds(request: SandboxRequest, scratch: Path) -> dict[str, Any]:
    """All that `_restrict.bind` needs, as plain values.

    Raises:
        OSError: something asked for does not exist.
    """
    abi = _restrict.version()
    return {
        "abi": abi,
        "rules": [(str(path), access) for path, access in _rules(request, scratch, abi)],
        "seccomp": _seccomp.build(denied=(*_seccomp.DENIED, *_seccomp.UNGOVERNED)),
    }
